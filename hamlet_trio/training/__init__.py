"""Training: the run, its trainer process, and the service that broadcasts it to viewers.

In the server: `TrainingService` (one run at a time) and `serve_viewer` (one connection). In the trainer's
process and on the command line: `session` and `local_run`, which need torch and are imported from there.
"""

from hamlet_trio.training.hub import HubStatistics
from hamlet_trio.training.run_status import TrainingStatistics
from hamlet_trio.training.service import TrainingService
from hamlet_trio.training.viewer import serve_viewer

__all__ = ["HubStatistics", "TrainingService", "TrainingStatistics", "serve_viewer"]
