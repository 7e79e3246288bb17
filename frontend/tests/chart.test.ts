import { expect, it } from 'vitest'

import { labelRoom } from '@/common/chart'

it('leaves an axis room for its longest number, and at least for five characters', () => {
  expect(labelRoom(null, 10)).toBe(36)
  expect(labelRoom(['0', '0.975'], 10)).toBe(36)
  expect(labelRoom(['0', '100,000'], 10)).toBeGreaterThan(7 * 6)
})
