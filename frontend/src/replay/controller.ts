import { shallowReactive } from 'vue'

import type { InferenceCommand, RecordingInfo, ReplayStarted } from '@/protocol/messages'
import type { FrameFeed } from '@/session/feed'
import { Seeker } from '@/replay/seeker'

export interface ReplaysState {
  /** What is replayed: a recording, or, where its `recording` is null, the session's own episode. */
  replay: ReplayStarted | null
  /** The step that was asked for and is not on screen yet. */
  seeking: number | null
  /** The recording that is being read. */
  opening: string | null
  /** The episode on screen is being kept. */
  keeping: boolean
  /** What was kept last. */
  kept: RecordingInfo | null
}

/** What a session shows of the past: recordings, and the earlier steps of its own episode. */
export class Replays {
  readonly state: ReplaysState = shallowReactive<ReplaysState>({
    replay: null, seeking: null, opening: null, keeping: false, kept: null,
  })

  private readonly seeker: Seeker

  constructor(
    private readonly feed: FrameFeed,
    private readonly send: (command: InferenceCommand) => boolean,
    /** The wish of the session that this is part of. */
    private readonly wish: { playing: boolean; recording: string | null },
  ) {
    this.seeker = new Seeker((step) => send({ command: 'seek', step }))
  }

  /** Show a step that was made before, of the replay or of the session's own episode. */
  seek(step: number): void {
    this.wish.playing = false
    this.dismissKept()
    this.seeker.to(Math.max(0, step))
    this.state.seeking = this.seeker.pending
  }

  back(): void {
    this.seek(this.step - 1)
  }

  /** The next step that was made; after the last one of the own episode comes the present. */
  forth(): void {
    const { replay } = this.state
    if (replay === null) return
    if (this.step < replay.steps) this.seek(this.step + 1)
    else if (replay.recording === null) this.leave()
  }

  /** Keep the episode on screen as a recording. */
  record(): void {
    this.state.kept = null
    this.state.keeping = this.send({ command: 'record' })
  }

  open(recording: string): void {
    Object.assign(this.wish, { recording, playing: false })
    this.state.kept = null
    if (this.send({ command: 'load_recording', recording })) this.state.opening = recording
  }

  /** Back to the session's own episode, where it was left. */
  leave(): void {
    this.wish.recording = null
    this.send({ command: 'leave_replay' })
  }

  /** It lies over the world, so whoever moves on in that has done with it. */
  dismissKept(): void {
    this.state.kept = null
  }

  /** The server's word of these. */
  started(replay: ReplayStarted): void {
    this.feed.pace.rest()
    Object.assign(this.state, { replay, opening: null })
  }

  ended(): void {
    this.forgetSeek()
    this.feed.pace.rest()
    this.dismissKept()
    this.wish.recording = null
    this.state.replay = null
  }

  saved(kept: RecordingInfo): void {
    Object.assign(this.state, { keeping: false, kept })
  }

  /** A timeline that is dragged has its picture, and its words, at once. */
  shown(step: number): void {
    if (this.state.seeking === null) return
    this.seeker.shown(step)
    this.state.seeking = this.seeker.pending
    this.feed.show()
  }

  refused(command: string | null): void {
    if (command === 'seek') this.forgetSeek()
    if (command === 'record') this.state.keeping = false
    if (command === 'load_recording') {
      this.state.opening = null
      this.wish.recording = this.state.replay?.recording ?? null
    }
  }

  /** The connection is gone, and the replay with it. */
  down(): void {
    this.forgetSeek()
    Object.assign(this.state, { replay: null, opening: null, keeping: false })
  }

  private get step(): number {
    return this.state.seeking ?? this.feed.frame?.step ?? 0
  }

  private forgetSeek(): void {
    this.seeker.forget()
    this.state.seeking = null
  }
}
