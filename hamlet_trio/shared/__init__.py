"""What several instances share through Redis. Imported only where HAMLET_REDIS_URL is set."""

from hamlet_trio.shared.redis_log import RedisLog
from hamlet_trio.shared.redis_shelf import RedisShelf
from hamlet_trio.shared.redis_store import RedisStore, StoreUnavailableError
from hamlet_trio.shared.shared_run import SharedRun

__all__ = ["RedisLog", "RedisShelf", "RedisStore", "SharedRun", "StoreUnavailableError"]
