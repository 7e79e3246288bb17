import type { EpisodeComplete } from '@/protocol/messages'

const WINDOW = 20

/** Estimate the rest of a run from how long its last episodes took on this screen. */
export class TimeLeft {
  private arrivals: number[] = []

  /** An episode ended just now. */
  tick(now: number): void {
    this.arrivals.push(now)
    if (this.arrivals.length > WINDOW + 1) this.arrivals.shift()
  }

  /** Forget the past, after a pause or for another run. */
  restart(): void {
    this.arrivals = []
  }

  /**
   * Return the seconds left for `remaining` episodes, or null while nothing is known. Before two episodes have
   * ended on this screen the estimate comes from the run's records: steps over steps a second.
   */
  estimate(remaining: number, records: readonly EpisodeComplete[]): number | null {
    const first = this.arrivals[0]
    const last = this.arrivals.at(-1)
    if (first !== undefined && last !== undefined && this.arrivals.length > 2) {
      return (remaining * (last - first)) / (this.arrivals.length - 1) / 1000
    }
    const recent = records.slice(-WINDOW).filter((record) => record.steps_per_second > 0)
    if (recent.length === 0) return null
    const seconds = recent.reduce((sum, record) => sum + record.length / record.steps_per_second, 0)
    return (remaining * seconds) / recent.length
  }
}

/** Return a duration as people say it. */
export function durationText(seconds: number): string {
  if (seconds < 10) return 'a few seconds'
  if (seconds < 55) return `${Math.round(seconds / 5) * 5} seconds`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return minutes === 1 ? '1 minute' : `${minutes} minutes`
  const hours = Math.floor(minutes / 60)
  return `${hours} h ${minutes % 60} min`
}
