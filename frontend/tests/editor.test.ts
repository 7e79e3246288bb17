import { createPinia, setActivePinia } from 'pinia'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { nextTick, shallowRef } from 'vue'

import { type Config, changesOf } from '@/editor/config'
import { titleOf, useDraft } from '@/editor/draft'
import { START, addPlace, moveBy, moveTo, removePlace, setEffect, setSize } from '@/editor/edits'
import { fieldOf, isWithin, limitsOf } from '@/editor/limits'
import { useUndo } from '@/editor/undo'
import { differences } from '@/editor/words'
import type { WorldProblem } from '@/worlds/store'

const NONE = { energy: 0, hygiene: 0, satiation: 0, money: 0, mood: 0, social: 0 }
const METER = { start: 100, minimum: 0, maximum: 100, random_low: 0.2, random_high: 1 }

function usual(): Config {
  return {
    width: 8, height: 8, start: [4, 4], max_steps: 500, meals: ['HomeMeal'], reward: 'shaped', end_penalty: 100,
    meters: [
      { ...METER, name: 'energy', drain: 0.5, place: 'Bed' },
      { ...METER, name: 'satiation', drain: 0.4, place: 'HomeMeal' },
    ],
    affordances: [
      { name: 'Bed', x: 1, y: 1, code: 1, effects: { ...NONE, money: -5, energy: 50 }, tired_money: null, rewarded: null },
      { name: 'HomeMeal', x: 2, y: 1, code: 3, effects: { ...NONE, money: -3, satiation: 45 }, tired_money: null, rewarded: null },
      { name: 'Job', x: 6, y: 6, code: 5, effects: { ...NONE, money: 30 }, tired_money: 15, rewarded: { ...NONE, money: 30, social: 1.5 } },
    ],
    shaped: { interaction_scale: 2, proximity_scale: 0.5, hunger_scale: 2 }, survival: { per_step: 1, low_penalty: 0.5, severe_penalty: 2 },
  }
}

describe('the places of a world', () => {
  it('share no cell and stay on the grid', () => {
    const config = usual()
    expect(moveTo(config, 'Bed', 2, 1)).toBe(config)
    expect(moveTo(config, 'Bed', 8, 0)).toBe(config)
    expect(moveBy(config, 'Bed', 1, 0).affordances[0]).toMatchObject({ x: 3, y: 1 })
    expect(moveBy(config, 'Bed', 0, -1).affordances[0]).toMatchObject({ x: 1, y: 0 })
    expect(moveBy(config, START, 1, 0).start).toEqual([5, 4])
  })

  it('are removed with what the rewards say of them, and come back with it', () => {
    const without = removePlace(usual(), 'HomeMeal')
    expect(without.meals).toEqual([])
    expect(without.meters[1]?.place).toBeNull()
    const back = addPlace(without, usual(), 'HomeMeal')
    expect(back?.config.meals).toEqual(['HomeMeal'])
    expect(back?.config.meters[1]?.place).toBe('HomeMeal')
    const second = addPlace(usual(), usual(), 'Bed')
    expect(second?.config.affordances.at(-1)).toMatchObject({ name: 'Bed 2', type: 'Bed', code: 2 })
  })

  it('keep what the reward counts equal where it was, and pay the tired only without a price', () => {
    const job = setEffect(usual(), 'Job', 'money', 45).affordances[2]
    expect(job).toMatchObject({ tired_money: 15, rewarded: { money: 45, social: 1.5 } })
    expect(setEffect(usual(), 'Job', 'money', -1).affordances[2]?.tired_money).toBeNull()
    expect(setEffect(usual(), 'Job', 'social', 1).affordances[2]?.rewarded?.social).toBe(1.5)
  })

  it('move inside when the grid shrinks', () => {
    const small = setSize(usual(), 2, 2)
    expect(small.start).toEqual([1, 1])
    expect(new Set(small.affordances.map(({ x, y }) => `${x},${y}`)).size).toBe(3)
  })
})

describe('the changes of a world', () => {
  it('are nothing for the usual world', () => {
    expect(changesOf(usual(), usual())).toEqual({})
    expect(differences(usual(), usual())).toEqual([])
  })

  it('are what the server takes', () => {
    let config = moveTo(usual(), 'Bed', 0, 7)
    config = removePlace(config, 'HomeMeal')
    config = addPlace(config, usual(), 'Job')?.config ?? config
    config = { ...config, shaped: { ...config.shaped, proximity_scale: 20 } }
    const changes = changesOf(usual(), config)
    expect(changes).toMatchObject({ affordances: { Bed: { x: 0, y: 7 }, HomeMeal: false }, shaped: { proximity_scale: 20 } })
  })

  it('are told in words', () => {
    const poor = setEffect({ ...moveTo(usual(), 'Bed', 0, 7), reward: 'survival' }, 'Bed', 'money', -10)
    expect(differences(usual(), removePlace(poor, 'Job'))).toEqual([
      'There is no Job.', 'Bed is in column 1, row 8, not column 2, row 2.', 'Bed costs 10; usually it costs 5.',
      'The reward is for each step lived, less while energy, hygiene or satiation is low.',
    ])
  })
})

describe('a number of a world', () => {
  it('has the limits of its field, the start of a meter those of the meter', () => {
    const config = usual()
    expect(fieldOf('meters.start', 'energy')).toBe('meters.energy.start')
    expect(fieldOf('affordances.effects.money', 'A. b')).toBe('affordances.A. b.effects.money')
    expect(fieldOf('width')).toBe('width')
    expect(limitsOf(config, 'width')).toEqual({ low: 2, high: 32, whole: true })
    expect(limitsOf(config, 'meters.start', 'energy')).toEqual({ low: 0, high: 100, above: true })
    expect(limitsOf(config, 'affordances.effects.money', 'Bed')).toEqual({ low: -1_000_000, high: 1_000_000 })
  })

  it.each([
    [{ low: 2, high: 32, whole: true }, 2, true], [{ low: 2, high: 32, whole: true }, 2.5, false],
    [{ low: 2, high: 32, whole: true }, 33, false], [{ low: 0, high: 100, above: true }, 0, false],
    [{ low: 0, high: 100, above: true }, 0.01, true], [{ low: -1e6, high: 1e6 }, 1e308, false],
  ] as const)('within %j is %d: %s', (limits, value, answer) => { expect(isWithin(limits, value)).toBe(answer) })
})

describe('the draft', () => {
  afterEach(() => { vi.unstubAllGlobals() })

  /** Answer as a server that has the usual world, and lets worlds be as wide as 32 cells. */
  function serve(): void {
    const stored = new Map<string, string>()
    vi.stubGlobal('sessionStorage', { getItem: (key: string) => stored.get(key) ?? null, setItem: (key: string, text: string) => { stored.set(key, text) } })
    vi.stubGlobal('document', { baseURI: 'http://localhost/' })
    const answer = (status: number, body: object): Response =>
      new Response(JSON.stringify(body), { status, headers: { 'content-type': 'application/json' } })
    vi.stubGlobal('fetch', vi.fn(async (url: URL, { body }: { body?: string }) => {
      if (!url.pathname.endsWith('world_check')) return answer(200, { name: 'usual', preset: true, title: '', about: '', config: usual() })
      const width = Number(/\d+/.exec(body ?? '')?.[0])
      return width <= 32
        ? answer(200, { title: 'Mine', about: '', config: { ...usual(), width } })
        : answer(422, { code: 'invalid_world', detail: 'It is too wide.', field: 'width' })
    }))
  }

  function editor() {
    setActivePinia(createPinia())
    const problem = shallowRef<WorldProblem | null>(null)
    return { problem, ...useDraft(problem) }
  }

  it('stays as it was where the server refuses what came from outside', async () => {
    serve()
    const { begin, openText, undo, problem } = editor()
    await begin('{"width": 100000000}')
    expect(problem.value?.message).toContain('It is too wide.')
    expect(undo.value.value?.config.width).toBe(8)
    await openText('width = 9')
    expect([problem.value, undo.value.value?.config.width, undo.value.value?.title]).toEqual([null, 9, 'Mine'])
    await openText('width = 33')
    expect(undo.value.value?.config.width).toBe(9)
    undo.undo()
    expect(undo.value.value?.config.width).toBe(8)
  })

  it('is called changed once it is', async () => {
    serve()
    const { begin, undo, spec } = editor()
    await begin(null)
    const before = undo.value.value
    expect([before && titleOf(before), spec.value]).toEqual(['The usual world', {}])
    if (before) undo.change({ ...before, config: setSize(before.config, 9, 8) })
    const after = undo.value.value
    expect([after && titleOf(after), spec.value]).toEqual(['The usual world, changed', { title: 'The usual world, changed', width: 9 }])
  })

  it('is there again with its undo when the view comes back, unless another world is asked for', async () => {
    serve()
    const first = editor()
    await first.begin(null)
    const before = first.undo.value.value
    if (before) first.undo.change({ ...before, config: moveTo(before.config, 'Bed', 0, 7) })
    await nextTick()
    for (const address of [null, JSON.stringify(first.spec.value)]) {
      const again = editor()
      await again.begin(address)
      expect(again.spec.value).toEqual(first.spec.value)
      again.undo.undo()
      expect(again.spec.value).toEqual({})
      again.undo.redo()
      await nextTick()
    }
    const other = editor()
    await other.begin('{"width": 10}')
    expect(other.undo.value.value?.config.width).toBe(10)
    other.undo.undo()
    expect(other.spec.value).toEqual(first.spec.value)
  })
})

describe('undo', () => {
  it('takes back a drag as a whole, and forgets what was undone at the next change', () => {
    const { value, change, settle, undo, redo, canRedo } = useUndo(0)
    change(1, 'drag')
    change(2, 'drag')
    settle()
    change(3, 'drag')
    undo()
    expect(value.value).toBe(2)
    undo()
    expect(value.value).toBe(0)
    redo()
    expect(value.value).toBe(2)
    change(9)
    expect(canRedo.value).toBe(false)
  })
})
