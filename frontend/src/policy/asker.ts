import { shallowRef } from 'vue'

import type { ChosenMeters, InferenceCommand, PolicyMap } from '@/protocol/messages'

/** Between two questions: a few a second follow a life well, and cost the server next to nothing. */
const GAP_MS = 250

/**
 * Ask a session for its policy map again and again, as long as it is wanted: when the last answer is there, some time
 * has passed and the situation has changed. At most one question is on its way.
 */
export class PolicyAsker {
  /** The newest map; null while it is not wanted, or not there yet. */
  readonly map = shallowRef<PolicyMap | null>(null)
  /** Meters to suppose in place of those on screen. */
  readonly supposed = shallowRef<ChosenMeters>({})
  readonly wanted = shallowRef(false)

  private waiting = false
  private changed = false
  private timer: ReturnType<typeof setTimeout> | null = null

  constructor(private readonly send: (command: InferenceCommand) => boolean) {}

  want(wanted: boolean): void {
    this.wanted.value = wanted
    if (wanted) this.change()
    else this.map.value = null
  }

  suppose(meters: ChosenMeters): void {
    this.supposed.value = meters
    this.change()
  }

  /** The situation on screen, or what is supposed in it, is another one. */
  change(): void {
    this.changed = true
    this.ask()
  }

  answered(map: PolicyMap): void {
    this.waiting = false
    if (this.wanted.value) this.map.value = map
    this.ask()
  }

  refused(): void {
    this.waiting = false
  }

  /** The connection is gone, and with it the question. */
  down(): void {
    this.waiting = false
    this.map.value = null
  }

  close(): void {
    this.wanted.value = false
    if (this.timer !== null) clearTimeout(this.timer)
  }

  private ask(): void {
    if (!this.wanted.value || this.waiting || !this.changed || this.timer !== null) return
    this.changed = false
    this.waiting = this.send({ command: 'get_policy_map', meters: this.supposed.value })
    this.timer = setTimeout(() => {
      this.timer = null
      this.ask()
    }, GAP_MS)
  }
}
