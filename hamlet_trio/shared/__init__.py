"""What several instances share through Redis. Imported only where HAMLET_REDIS_URL is set."""

from hamlet_trio.shared.redis_shelf import RedisShelf
from hamlet_trio.shared.redis_store import RedisStore, StoreUnavailableError

__all__ = ["RedisShelf", "RedisStore", "StoreUnavailableError"]
