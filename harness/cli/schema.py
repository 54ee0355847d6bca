"""`oneshot schema`: the JSON schema of presets, for editors."""

from __future__ import annotations

import typer


def command() -> None:
    """Print the JSON schema of a preset: editors complete and check TOML files by it.

    Example: oneshot schema > preset.schema.json
    """
    from json import dumps

    from mmact_oneshot.harness.config.presets import EXTENDS
    from mmact_oneshot.harness.config.settings import Settings

    schema = Settings.model_json_schema()
    schema["title"] = "mmact-oneshot preset"
    for name in ("preset", "overrides"):  # the harness fills them in
        schema["properties"].pop(name)
    schema["properties"][EXTENDS] = {"type": "string", "description": "a preset that this one changes: name or file"}
    schema.pop("required", None)
    typer.echo(dumps(schema, indent=1))
