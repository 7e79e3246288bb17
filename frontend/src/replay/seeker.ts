/**
 * Ask for steps one at a time. A dragged timeline asks for more of them than a server should have to answer:
 * while one is on its way only the newest request is kept, so that the picture follows the thumb and ends where it does.
 */
export class Seeker {
  private sent: number | null = null
  private wanted: number | null = null

  constructor(private readonly send: (step: number) => boolean) {}

  /** The step that was asked for last and is not on screen yet. */
  get pending(): number | null {
    return this.wanted ?? this.sent
  }

  to(step: number): void {
    this.wanted = step
    this.next()
  }

  /** A step is on screen. */
  shown(step: number): void {
    if (step !== this.sent) return
    this.sent = null
    this.next()
  }

  /** Drop what was asked for. */
  forget(): void {
    this.sent = null
    this.wanted = null
  }

  private next(): void {
    if (this.sent !== null || this.wanted === null) return
    const step = this.wanted
    this.wanted = null
    if (this.send(step)) this.sent = step
  }
}
