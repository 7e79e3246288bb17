import { describe, expect, it } from 'vitest'

import { DrawLoop } from '@/world/loop'

class Screen {
  private waiting = new Map<number, FrameRequestCallback>()
  private timers = new Map<number, { callback: () => void; wait: number }>()
  private made = 0

  readonly request = (callback: FrameRequestCallback): number => {
    this.made += 1
    this.waiting.set(this.made, callback)
    return this.made
  }

  readonly cancel = (handle: number): void => { this.waiting.delete(handle) }

  readonly after = (callback: () => void, wait: number): number => {
    this.made += 1
    this.timers.set(this.made, { callback, wait })
    return this.made
  }

  readonly forget = (timer: number): void => { this.timers.delete(timer) }

  readonly loop = new DrawLoop(this.request, this.cancel, this.after, this.forget)

  get waits(): number[] {
    return [...this.timers.values()].map(({ wait }) => wait)
  }

  ring(): void {
    const [timer] = this.timers.values()
    this.timers.clear()
    timer?.callback()
  }

  get pending(): number {
    return this.waiting.size
  }

  refresh(now: number): void {
    const [callback] = this.waiting.values()
    this.waiting.clear()
    callback?.(now)
  }
}

describe('DrawLoop', () => {
  it('draws once a refresh, however often it is woken', () => {
    const screen = new Screen()
    const { loop } = screen
    const times: number[] = []
    loop.add((now) => { times.push(now); return Infinity })
    for (let message = 0; message < 100; message++) loop.wake()
    expect(screen.pending).toBe(1)
    screen.refresh(16)
    expect(times).toEqual([16])
    expect(screen.pending).toBe(0)
  })

  it('goes on while anything is due and rests when nothing is', () => {
    const screen = new Screen()
    const { loop } = screen
    let left = 3
    loop.add(() => (--left > 0 ? 0 : Infinity))
    loop.add(() => Infinity)
    for (let now = 0; screen.pending > 0; now += 16) screen.refresh(now)
    expect(left).toBe(0)
    expect(screen.waits).toEqual([])
  })

  it('draws nothing until the first of what is due later, or until it is woken', () => {
    const screen = new Screen()
    const { loop } = screen
    const times: number[] = []
    loop.add((now) => { times.push(now); return 200 })
    loop.add(() => 400)
    screen.refresh(50)
    // Each a little before its time, for the refresh comes after it.
    expect([screen.pending, screen.waits]).toEqual([0, [138]])
    loop.wake(300, 60)
    expect([screen.pending, screen.waits]).toEqual([0, [138]])
    loop.wake(150, 60)
    expect([screen.pending, screen.waits]).toEqual([0, [78]])
    loop.wake()
    expect([screen.pending, screen.waits]).toEqual([1, []])
    screen.refresh(100)
    expect(screen.waits).toEqual([88])
    screen.ring()
    expect(screen.pending).toBe(1)
    screen.refresh(201)
    expect(times).toEqual([50, 100, 201])
  })

  it('asks for nothing once everyone has left', () => {
    const screen = new Screen()
    const { loop } = screen
    const leave = loop.add(() => 100)
    screen.refresh(0)
    leave()
    expect([screen.pending, screen.waits]).toEqual([0, []])
    loop.wake()
    expect(screen.pending).toBe(0)
  })
})
