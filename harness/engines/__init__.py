"""Where the steps of a run are done: in this process, or by workers of a Dask cluster."""

IN_PROCESS = "in-process"
