import { describe, expect, it } from 'vitest'

import { frameOfInference } from '@/world/frame'
import { METERS, extent, filled, formatSigned, levelOf, shownValue } from '@/world/meters'
import { type Model, briefName, byStage, describe as describeModel, isPlain, nameOf, shortName, stageOf } from '@/models/details'
import { observe } from '@/watch/observation'
import { nextSpeed, speedIndex } from '@/session/speeds'
import { endingLabel, placeKind } from '@/world/labels'
import { update } from './frames'

function meter(name: string): (typeof METERS)[number] {
  const found = METERS.find((one) => one.name === name)
  if (found === undefined) throw new Error(name)
  return found
}

describe('meters', () => {
  it.each([
    ['energy', 0.8, 'good'], ['energy', 0.79, 'fine'], ['energy', 0.4, 'low'], ['energy', 0.29, 'critical'],
    ['money', 50, 'good'], ['money', 19, 'fine'], ['money', -40, 'low'], ['money', -100, 'critical'],
    ['mood', 20, 'low'], ['mood', 19, 'critical'], ['social', 0.5, 'fine'], ['social', 0.49, 'low'],
  ] as const)('%s at %d is %s', (name, value, level) => {
    expect(levelOf(meter(name), value)).toBe(level)
  })

  it('are filled from end to end, whatever arrives', () => {
    expect(filled(meter('money'), 0)).toBe(0.5)
    expect(filled(meter('mood'), 250)).toBe(1)
    expect(extent(meter('money'), 0)).toEqual([0.5, 0.5])
    expect(extent(meter('money'), 50)).toEqual([0.5, 0.75])
    expect(extent(meter('money'), -50)).toEqual([0.25, 0.5])
    expect(extent(meter('energy'), 0.4)).toEqual([0, 0.4])
    expect(shownValue(meter('money'), -12.4)).toBe('\u221212')
    expect(shownValue(meter('mood'), 42.4)).toBe('42%')
  })

  it('show no negative zero', () => {
    expect(formatSigned(-0.001, true, 2)).toBe('0.00')
    expect(formatSigned(3, true)).toBe('+3')
  })
})

describe('models', () => {
  it('have the stage that the server tells, whatever their names and episodes', () => {
    expect(stageOf({ name: 'checkpoint_ep50.pt', episode: 20, stage: 'expert' })).toBe('expert')
    expect(stageOf({ name: 'trained_agent.pt', episode: 1000, stage: null })).toBe('unknown')
    expect(stageOf({ name: 'mine.pt' })).toBe('unknown')
    expect(describeModel({ name: 'trained_agent.pt', episode: 1, stage: 'beginner' })).toBe('beginner, 1 episode')
    expect(describeModel({ name: 'checkpoint_ep50.pt', network_type: 'dueling' })).toBe('not evaluated, dueling network')
  })

  it('of runs are named by when the run began, the last one as such, and as people named them', () => {
    expect(shortName('run-20200131-235959-a1b2c3-ep100.pt')).toMatch(/^Run of .*20/)
    expect(nameOf({ name: 'run-20200131-235959-a1b2c3-ep100.pt', given_name: 'Our champion' })).toBe('Our champion')
    expect(nameOf({ name: 'trained_agent.pt', source: 'run' })).toBe('Last trained agent')
    expect(nameOf({ name: 'trained_agent.pt', source: 'shipped' })).toBe('Trained agent')
    expect(nameOf({ name: 'shipped_agent.pt' })).toBe('Shipped agent')
  })

  it('stand from clumsy to able, those that nobody evaluated last', () => {
    const lived = (mean_length: number, mean_return: number): object => ({ evaluation: { mean_length, mean_return } })
    const models: Model[] = [
      { name: 'best.pt', stage: 'expert', ...lived(500, 900) },
      { name: 'mine.pt', episode: 5000 },
      { name: 'lazy.pt', stage: 'skilled', ...lived(500, 254) },
      { name: 'busy.pt', stage: 'skilled', ...lived(500, 941) },
      { name: 'late.pt', stage: 'improving', ...lived(462, 300) },
      { name: 'first.pt', stage: 'beginner', ...lived(76, -89) },
      { name: 'soon.pt', stage: 'improving', ...lived(158, 39) },
    ]
    expect(byStage(models).map(({ name }) => name)).toEqual([
      'first.pt', 'soon.pt', 'late.pt', 'lazy.pt', 'busy.pt', 'best.pt', 'mine.pt',
    ])
  })
})

describe('the observation', () => {
  it('is what a network is given: position, meters, the map with the agent over its place', () => {
    const seen = observe(frameOfInference(update({ x: 7, y: 0 })), 'agent_0')
    expect(seen?.position).toEqual([1, 0])
    expect(seen?.meters.map(({ value }) => value)).toEqual([0.9, 0.4, 0.2, 0.75, 0.75, 0.5])
    expect(seen?.map[0]).toEqual([0, 0, 0, 0, 0, 0, 0, 9])
    expect(seen?.map[1]?.[1]).toBe(1)
    expect(seen?.map.flat()).toHaveLength(64)
  })

  it('is nothing for an agent that is not there', () => {
    expect(observe(frameOfInference(update()), 'agent_7')).toBeNull()
  })
})

describe('names', () => {
  it('are as short as can be where several stand side by side', () => {
    expect(briefName('checkpoint_ep1000.pt')).toBe('1,000 episodes')
    expect(briefName('trained_agent.pt')).toBe('Trained agent')
    expect(briefName('mine_ep50.pt')).toBe('mine ep50')
    expect(briefName('checkpoint_ep400_short_sighted.pt')).toBe('400 episodes, short sighted')
  })

  it('tell a checkpoint that shows its stage from an odd one', () => {
    expect(isPlain({ name: 'checkpoint_ep455.pt' })).toBe(true)
    expect(isPlain({ name: 'checkpoint_ep400_shortsighted.pt' })).toBe(false)
  })
})

describe('speeds', () => {
  it('go up and down in notches and stop at the ends', () => {
    expect(nextSpeed(1, 1)).toBe(1.5)
    expect(nextSpeed(10, 1)).toBe(10)
    expect(nextSpeed(0.1, -1)).toBe(0.1)
    expect(speedIndex(0.97)).toBe(speedIndex(1))
  })
})

describe('words', () => {
  it('tell how an episode ended', () => {
    expect(endingLabel({ reason: 'meter_depleted', failure_reason: 'mood_depleted' })).toBe('Mood collapsed')
    expect(endingLabel({ reason: 'meter_depleted', failure_reason: 'thirst_depleted' })).toBe('Thirst depleted')
    expect(endingLabel({ reason: 'max_steps', failure_reason: null })).toBe('Survived to the last step')
  })

  it('have a name for a place nobody drew yet', () => {
    expect(placeKind('Library')).toMatchObject({ label: 'Library', icon: 'place' })
  })
})
