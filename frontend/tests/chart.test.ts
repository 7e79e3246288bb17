import { expect, it } from 'vitest'

import { episodeTicks, labelRoom, nearest, valueTicks } from '@/common/chart'

it('leaves an axis room for its longest number, and at least for five characters', () => {
  expect(labelRoom([], 10)).toBe(36)
  expect(labelRoom(['0', '0.975'], 10)).toBe(36)
  expect(labelRoom(['0', '100,000'], 10)).toBeGreaterThan(7 * 6)
})

it('writes round numbers along the values, which all lie between the first and the last', () => {
  expect(valueTicks(3, 480, 5)).toEqual([0, 100, 200, 300, 400, 500])
  expect(valueTicks(-0.12, 0.31, 4)).toEqual([-0.2, 0, 0.2, 0.4])
  expect(valueTicks(-90, -20, 4)).toEqual([-100, -80, -60, -40, -20])
  expect(valueTicks(0, 1, 3)).toEqual([0, 0.5, 1])
  for (const [low, high] of [[7, 7], [0, 0], [-3, -3], [1e-7, 2e-7], [123_456, 123_457], [-1, 1e6]] as const) {
    for (const most of [0.2, 1, 3, 10]) {
      const ticks = valueTicks(low, high, most)
      expect(ticks[0]).toBeLessThanOrEqual(low)
      expect(ticks.at(-1)).toBeGreaterThanOrEqual(high)
      expect(ticks.length).toBeGreaterThan(1)
      expect(ticks.length).toBeLessThanOrEqual(Math.max(1, most) + 2)
    }
  }
})

it('writes whole episodes, none outside the axis', () => {
  expect(episodeTicks(1, 60, 6)).toEqual([10, 20, 30, 40, 50, 60])
  expect(episodeTicks(1, 3, 10)).toEqual([1, 2, 3])
  expect(episodeTicks(1, 60, 1)).toEqual([60])
  expect(episodeTicks(990, 1010, 4)).toEqual([990, 995, 1000, 1005, 1010])
})

it('finds the episode nearest to the pointer', () => {
  const xs = [1, 2, 5, 10, 50]
  expect([-4, 1.4, 4, 7.6, 29, 31, 99].map((x) => nearest(xs, x))).toEqual([0, 0, 2, 3, 3, 4, 4])
  expect(nearest([7], 3)).toBe(0)
})
