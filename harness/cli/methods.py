"""`oneshot methods`: what can be run."""

from __future__ import annotations


def command() -> None:
    """List the methods with their origin, settings and defaults; of one that cannot be loaded, the reason.

    Example: oneshot methods
    """
    import inspect

    from rich.markup import escape
    from rich.padding import Padding

    from harness.cli.console import console
    from harness.config.plugins.registry import load_method, method_names, method_origins, setting_names
    from harness.runtime.errors import HarnessError
    from harness.training.initialisation import pretrains

    for name in method_names():
        try:
            method = load_method(name)
        except HarnessError as error:
            console.print(f"[bold]{name}[/]  [red]cannot be loaded[/]: {escape(str(error))}\n")
            continue
        settings = ", ".join(f"{key}={value!r}" for key, value in setting_names(method).items())
        about = (inspect.getdoc(method) or "").splitlines()[0]
        outputs = " and ".join(method.needs.outputs)
        console.print(f"[bold]{name}[/]  {about}")
        console.print(Padding(f"origin: {', '.join(method_origins(name))}", (0, 0, 0, 4)))
        takes = f"the encoders' {outputs}" if outputs else "the clips themselves"
        console.print(Padding(f"takes {takes}, from {' or '.join(method.needs.modalities)}", (0, 0, 0, 4)))
        if pretrains(method):
            console.print(Padding(f'pre-trained on the base classes: initialisation = "{name}"', (0, 0, 0, 4)))
        console.print(Padding(f"settings: {settings or 'none'}", (0, 0, 1, 4)))
    console.print("A method of your own: oneshot run --method ./file.py (see methods/template.py)")
