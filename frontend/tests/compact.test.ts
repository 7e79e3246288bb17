import { describe, expect, it } from 'vitest'

import type { InferenceMessage, TrainingMessage } from '@/protocol/messages'
import { FrameReader } from '@/world/compact'

import examples from './compact.json'

type Frame = Record<string, unknown>
type Message = InferenceMessage | TrainingMessage

function shown(reader: FrameReader<Message>, frame: Frame): Frame {
  const whole = { ...reader.whole(frame as unknown as Message) } as Frame
  delete whole.base
  delete whole.visits
  return whole
}

describe('compact frames', () => {
  it.each(examples)('$name: stand for the full frames', ({ sent, full }) => {
    const reader = new FrameReader<Message>()
    sent.forEach((frame, number) => { expect(shown(reader, frame)).toEqual(full[number]) })
  })

  it('change the last full frame, whichever were lost in between', () => {
    for (const { sent, full } of examples) {
      const reader = new FrameReader<Message>()
      for (const number of [0, sent.length - 1]) expect(shown(reader, sent[number] ?? {})).toEqual(full[number])
    }
  })

  it('are ignored without the frame that they change', () => {
    const [base, delta] = examples[0]?.sent ?? []
    const reader = new FrameReader<Message>()
    expect(reader.whole(delta as unknown as Message)).toBeNull()
    reader.whole({ ...base, base: 7 } as unknown as Message)
    expect(reader.whole(delta as unknown as Message)).toBeNull()
    reader.whole(base as unknown as Message)
    expect(reader.whole(delta as unknown as Message)).not.toBeNull()
    reader.clear()
    expect(reader.whole(delta as unknown as Message)).toBeNull()
  })
})
