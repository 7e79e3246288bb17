import { describe, expect, it } from 'vitest'

import { errorOf, fieldsOf, initialEntry, limits, wireValue } from '@/train/parameters'

const FIELDS = fieldsOf({
  training_parameters: { $ref: '#/$defs/TrainingParameters' },
  $defs: {
    TrainingParameters: {
      properties: {
        num_episodes: { type: 'integer', minimum: 1, maximum: 100_000, default: 100, description: 'episodes to train for' },
        learning_rate: { type: 'number', minimum: 1e-7, maximum: 1, default: 0.001 },
        network_type: { enum: ['dueling', 'qnetwork'], default: 'dueling' },
        seed: { anyOf: [{ type: 'integer', minimum: 0, maximum: 4_294_967_295 }, { type: 'null' }], default: null },
        noisy: { type: 'boolean', default: false },
        contention: { anyOf: [{ type: 'boolean' }, { type: 'null' }], default: null },
      },
    },
  },
})

function field(name: string): (typeof FIELDS)[number] {
  const found = FIELDS.find((one) => one.name === name)
  if (found === undefined) throw new Error(name)
  return found
}

describe('the form of a run', () => {
  it('has a field for each parameter that the server names, also for new ones', () => {
    expect(FIELDS.map(({ name, kind, optional }) => [name, kind, optional])).toEqual([
      ['num_episodes', 'integer', false],
      ['learning_rate', 'number', false],
      ['network_type', 'choice', false],
      ['seed', 'integer', true],
      ['noisy', 'switch', false],
      ['contention', 'choice', true],
    ])
    expect(field('noisy').label).toBe('Noisy')
  })

  it('begins with the server’s defaults', () => {
    expect(FIELDS.map(initialEntry)).toEqual(['100', '0.001', 'dueling', '', false, ''])
  })

  it.each([
    ['num_episodes', '0', 'Allowed: 1 to 100,000.'],
    ['num_episodes', '1.5', 'This must be a whole number.'],
    ['num_episodes', 'many', 'This must be a number.'],
    ['num_episodes', ' ', 'This needs a value.'],
    ['num_episodes', ' 100000 ', null],
    ['learning_rate', '1e-8', 'Allowed: 0.0000001 to 1.'],
    ['learning_rate', '3e-4', null],
    ['learning_rate', 'Infinity', 'This must be a number.'],
    ['seed', '', null],
    ['seed', '-1', 'Allowed: 0 to 4,294,967,295.'],
    ['network_type', 'transformer', 'Choose one from the list.'],
  ])('judges %s = "%s"', (name, entry, expected) => {
    expect(errorOf(field(name), entry)).toBe(expected)
  })

  it('sends numbers as numbers and nothing as null', () => {
    expect(wireValue(field('num_episodes'), ' 50 ')).toBe(50)
    expect(wireValue(field('seed'), '')).toBeNull()
    expect(wireValue(field('noisy'), true)).toBe(true)
    expect(['', 'true', 'false'].map((entry) => wireValue(field('contention'), entry))).toEqual([null, true, false])
    expect(limits(field('network_type'))).toBe('')
  })
})
