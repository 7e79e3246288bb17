import { describe, expect, it } from 'vitest'

import { DrawLoop } from '@/world/loop'

class Screen {
  private waiting = new Map<number, FrameRequestCallback>()
  private made = 0

  readonly request = (callback: FrameRequestCallback): number => {
    this.made += 1
    this.waiting.set(this.made, callback)
    return this.made
  }

  readonly cancel = (handle: number): void => { this.waiting.delete(handle) }

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
    const loop = new DrawLoop(screen.request, screen.cancel)
    const times: number[] = []
    loop.add((now) => times.push(now) < 0)
    for (let message = 0; message < 100; message++) loop.wake()
    expect(screen.pending).toBe(1)
    screen.refresh(16)
    expect(times).toEqual([16])
    expect(screen.pending).toBe(0)
  })

  it('goes on while anything moves and rests when nothing does', () => {
    const screen = new Screen()
    const loop = new DrawLoop(screen.request, screen.cancel)
    let left = 3
    loop.add(() => --left > 0)
    loop.add(() => false)
    for (let now = 0; screen.pending > 0; now += 16) screen.refresh(now)
    expect(left).toBe(0)
  })

  it('asks for nothing once everyone has left', () => {
    const screen = new Screen()
    const loop = new DrawLoop(screen.request, screen.cancel)
    const leave = loop.add(() => true)
    screen.refresh(0)
    leave()
    expect(screen.pending).toBe(0)
    loop.wake()
    expect(screen.pending).toBe(0)
  })
})
