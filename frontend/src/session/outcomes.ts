import { shallowRef } from 'vue'

import type { EpisodeEnd, Playback } from '@/protocol/messages'
import type { FinishedEpisode } from '@/session/state'

const KEPT_EPISODES = 300

/** Who chose the actions of the episode on screen, and how long the session's whole episodes lasted. */
export class Outcomes {
  /** Steps survived in each episode that this session's model finished, newest last; of several agents their mean. */
  readonly survived = shallowRef<readonly number[]>([])
  private controllers = new Set<Playback['controller']>()

  begin(): void {
    this.controllers = new Set()
  }

  /** A life that begins in the middle of another is not a whole one: it counts in no result. */
  branch(): void {
    this.controllers = new Set(['policy', 'human'])
  }

  stepBy(controller: Playback['controller']): void {
    this.controllers.add(controller)
  }

  /** Return who chose the actions; null for an episode without a step. */
  end(end: EpisodeEnd): FinishedEpisode['by'] | null {
    if (this.controllers.size === 0) return null
    if (end.reason === 'meter_depleted' || end.reason === 'max_steps') {
      const lives = Object.values(end.agents ?? {}).map((one) => one.steps)
      const steps = lives.length > 0 ? lives.reduce((sum, one) => sum + one, 0) / lives.length : end.steps
      this.survived.value = [...this.survived.value, steps].slice(-KEPT_EPISODES)
    }
    if (this.controllers.size > 1) return 'both'
    return this.controllers.has('human') ? 'human' : 'policy'
  }

  forget(): void {
    this.survived.value = []
  }
}
