"""Training: the run, its trainer process, and the service that broadcasts it to viewers.

In the server: `TrainingService` (one run at a time) and `serve_viewer` (one connection). In the trainer
process and on the command line: `loop`, `managed_run` and `local_run`, imported from there (torch).
"""

from hamlet_trio.training.hub import HubStatistics
from hamlet_trio.training.run_status import TrainingStatistics
from hamlet_trio.training.service import TrainingService
from hamlet_trio.training.viewer import serve_viewer

__all__ = ["HubStatistics", "TrainingService", "TrainingStatistics", "serve_viewer"]
