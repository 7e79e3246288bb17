const MOST_WAITING = 3

/**
 * Send a person's actions one by one: each waits until the step of the one before is on screen, so that fast keys
 * never act in a world that is not seen yet. Actions that wait when a life ends are dropped.
 */
export class ActionQueue {
  private waiting: number[] = []
  private sent = false

  constructor(private readonly send: (action: number) => boolean) {}

  /** Whether an action is on its way, or its step ended the life: nothing is sent until the next frame. */
  get busy(): boolean {
    return this.sent
  }

  /** Send the action, or keep it for its turn; one too many is dropped. */
  push(action: number): void {
    if (this.waiting.length < MOST_WAITING) this.waiting.push(action)
    this.next()
  }

  /** A step is on screen. After the last one of a life its end follows, until which nothing is sent. */
  shown(done: boolean): void {
    this.sent = done
    this.next()
  }

  clear(): void {
    this.waiting = []
    this.sent = false
  }

  private next(): void {
    const action = this.sent ? undefined : this.waiting.shift()
    if (action !== undefined) this.sent = this.send(action)
  }
}
