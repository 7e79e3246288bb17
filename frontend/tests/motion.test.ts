import { describe, expect, it } from 'vitest'

import { Motion, Pace } from '@/world/motion'

describe('Motion', () => {
  it('appears in its first cell at once', () => {
    const motion = new Motion()
    motion.moveTo({ x: 4, y: 4 }, 1000, 100, false)
    expect(motion.at(1000)).toEqual({ x: 4, y: 4 })
    expect(motion.moving(1000)).toBe(false)
  })

  it('walks to a neighbouring cell in the time of a step', () => {
    const motion = new Motion()
    motion.moveTo({ x: 4, y: 4 }, 0, 100, false)
    motion.moveTo({ x: 5, y: 4 }, 100, 100, false)
    expect(motion.at(150)).toEqual({ x: 4.5, y: 4 })
    expect(motion.moving(199)).toBe(true)
    expect(motion.at(200)).toEqual({ x: 5, y: 4 })
    expect(motion.moving(200)).toBe(false)
  })

  it('starts a new walk from where it is drawn, so that it never falls behind', () => {
    const motion = new Motion()
    motion.moveTo({ x: 0, y: 0 }, 0, 100, false)
    motion.moveTo({ x: 1, y: 0 }, 0, 100, false)
    motion.moveTo({ x: 2, y: 0 }, 50, 100, false)
    expect(motion.at(50).x).toBeCloseTo(0.5)
    expect(motion.at(150).x).toBe(2)
  })

  it('jumps where a walk would cross the world, and where motion is unwelcome', () => {
    const motion = new Motion()
    motion.moveTo({ x: 0, y: 0 }, 0, 100, false)
    motion.moveTo({ x: 4, y: 4 }, 10, 100, false)
    expect(motion.at(10)).toEqual({ x: 4, y: 4 })
    motion.moveTo({ x: 5, y: 4 }, 20, 100, true)
    expect(motion.at(20)).toEqual({ x: 5, y: 4 })
  })

  it('leans into a wall and comes back, however often it is bumped', () => {
    const motion = new Motion()
    motion.moveTo({ x: 0, y: 3 }, 0, 100, false)
    for (let time = 0; time < 1000; time += 50) {
      motion.bump({ x: -1, y: 0 }, time, 100, false)
      expect(motion.at(time + 49).x).toBeGreaterThan(-0.2)
    }
    expect(motion.at(2000)).toEqual({ x: 0, y: 3 })
  })

  it('tells the rest of the way, straight for a walk and in pieces for a lean, and none at its end', () => {
    const motion = new Motion()
    motion.moveTo({ x: 4, y: 4 }, 0, 100, false)
    expect(motion.rest(0)).toBeNull()
    motion.moveTo({ x: 5, y: 4 }, 100, 100, false)
    expect(motion.rest(125)).toEqual({ places: [{ x: 4.25, y: 4 }, { x: 5, y: 4 }], duration: 75 })
    expect(motion.rest(200)).toBeNull()
    motion.bump({ x: 0, y: -1 }, 300, 100, false)
    const lean = motion.rest(300)
    expect(lean?.places.at(0)).toEqual(lean?.places.at(-1))
    expect(Math.min(...(lean?.places ?? []).map(({ y }) => y))).toBeCloseTo(3.84)
    expect(motion.moves).toBe(3)
  })

  it('shows even a very slow step as one step', () => {
    const motion = new Motion()
    motion.moveTo({ x: 0, y: 0 }, 0, 10_000, false)
    motion.moveTo({ x: 1, y: 0 }, 0, 10_000, false)
    expect(motion.at(300).x).toBe(1)
  })
})

describe('Pace', () => {
  it('follows the rate of frames', () => {
    const pace = new Pace()
    for (let time = 0; time <= 1000; time += 10) pace.tick(time)
    expect(pace.interval).toBeCloseTo(10, 0)
  })

  it('does not count a rest', () => {
    const pace = new Pace()
    for (let time = 0; time <= 1000; time += 10) pace.tick(time)
    pace.rest()
    expect(pace.tick(60_000)).toBeCloseTo(10, 0)
  })
})
