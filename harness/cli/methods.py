"""`oneshot methods`: what can be run."""

from __future__ import annotations


def command() -> None:
    """List the methods with their settings and defaults.

    Example: oneshot methods
    """
    import inspect

    from rich.table import Table

    from harness.cli.console import console
    from harness.registry import load_method, method_names, setting_names

    table = Table("method", "what it is", "encoder outputs", "modalities", "settings")
    for name in method_names():
        method = load_method(name)
        settings = ", ".join(f"{key}={value!r}" for key, value in setting_names(method).items())
        about = (inspect.getdoc(method) or "").splitlines()[0]
        outputs = ", ".join(method.needs.outputs) or "reads clips itself"
        table.add_row(name, about, outputs, ", ".join(method.needs.modalities), settings or "none")
    console.print(table)
    console.print("A method of your own: oneshot run --method ./file.py (see methods/template.py)")
