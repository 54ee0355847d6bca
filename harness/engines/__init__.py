"""Where the steps of a run are done: in this process, or by workers of a Dask cluster."""

import os

IN_PROCESS = "in-process"
os.environ.setdefault("DASK_LOGGING__DISTRIBUTED", "error")  # read when Dask is imported, here and in local workers
