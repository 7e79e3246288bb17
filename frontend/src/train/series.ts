/** Past this many, records are thinned evenly, as in the server's own history. */
const CAPACITY = 2000

/** Keep episode records in order, bounded: past the capacity every second one is dropped, then and from then on. */
export class EpisodeSeries<Item extends { episode: number }> {
  private kept: Item[] = []
  private tip: Item | null = null
  private stride = 1

  constructor(private readonly capacity: number = CAPACITY) {}

  /** The records kept, and always the newest. */
  get items(): readonly Item[] {
    const { kept, tip } = this
    return tip === null || kept.at(-1) === tip ? [...kept] : [...kept, tip]
  }

  get newest(): Item | null {
    return this.tip
  }

  clear(): void {
    this.kept = []
    this.tip = null
    this.stride = 1
  }

  replace(items: readonly Item[]): void {
    this.clear()
    for (const item of items) this.add(item)
  }

  /** Add a record. A run resumed from its last save repeats episodes: the new record replaces it and all later ones. */
  add(item: Item): void {
    if (this.tip !== null && item.episode <= this.tip.episode) {
      this.kept = this.kept.filter((other) => other.episode < item.episode)
    }
    this.tip = item
    if ((item.episode - 1) % this.stride === 0) this.kept.push(item)
    while (this.kept.length > this.capacity) {
      this.stride *= 2
      this.kept = this.kept.filter((other) => (other.episode - 1) % this.stride === 0)
    }
  }
}
