import { shallowReactive } from 'vue'

import type { InferenceCommand, RecordingInfo, ReplayStarted } from '@/protocol/messages'
import type { FrameFeed } from '@/session/feed'
import { Seeker } from '@/replay/seeker'

export interface ReplayState {
  /** What is replayed: a recording, or, where its `recording` is null, the session's own episode. */
  replay: ReplayStarted | null
  /** The step that was asked for and is not on screen yet. */
  seeking: number | null
  /** The recording that is being read. */
  opening: string | null
  /** The episode on screen is being recorded: it is written now, or will be once it has ended. */
  recording: 'now' | 'to end' | null
  /** What was recorded last. */
  recorded: RecordingInfo | null
}

/** Show recordings, and the earlier steps of a session's own episode. */
export class ReplayController {
  readonly state: ReplayState = shallowReactive<ReplayState>({
    replay: null, seeking: null, opening: null, recording: null, recorded: null,
  })

  private readonly seeker: Seeker

  constructor(
    private readonly feed: FrameFeed,
    private readonly send: (command: InferenceCommand) => boolean,
    /** The desired state of the session that this is part of. */
    private readonly desired: { playing: boolean; recording: string | null },
  ) {
    this.seeker = new Seeker((step) => send({ command: 'seek', step }))
  }

  /** Show an earlier step of the replay, or of the session's own episode. */
  seek(step: number): void {
    this.desired.playing = false
    this.dismissRecorded()
    this.seeker.to(Math.max(0, step))
    this.state.seeking = this.seeker.pending
  }

  back(): void {
    this.seek(this.step - 1)
  }

  /** Show the next step; after the last one of the session's own episode, return to the present. */
  forth(): void {
    const { replay } = this.state
    if (replay === null) return
    if (this.step < replay.steps) this.seek(this.step + 1)
    else if (replay.recording === null) this.leave()
  }

  /** Record the episode on screen to its end or, asked again before that, as it is then; a rewound one at once. */
  record(): void {
    const now = this.state.recording !== null || this.state.replay !== null
    this.state.recorded = null
    if (this.send({ command: 'record', to_end: !now })) this.state.recording = now ? 'now' : 'to end'
  }

  /** On another connection, ask again for what was to be recorded. */
  resumed(): void {
    if (this.state.recording === null) return
    this.state.recording = null
    this.record()
  }

  open(recording: string): void {
    Object.assign(this.desired, { recording, playing: false })
    this.state.recorded = null
    if (this.send({ command: 'load_recording', recording })) this.state.opening = recording
  }

  /** Return to the session's own episode, where it was left. */
  leave(): void {
    this.desired.recording = null
    this.send({ command: 'leave_replay' })
  }

  /** Hide the notice, which lies over the world, as soon as the world moves on. */
  dismissRecorded(): void {
    this.state.recorded = null
  }

  started(replay: ReplayStarted): void {
    this.feed.pace.rest()
    this.feed.setRange(replay.q_value_range)
    Object.assign(this.state, { replay, opening: null })
  }

  ended(): void {
    this.forgetSeek()
    this.feed.pace.rest()
    this.dismissRecorded()
    this.desired.recording = null
    this.state.replay = null
    this.feed.setRange(null)
  }

  saved(recorded: RecordingInfo): void {
    Object.assign(this.state, { recording: null, recorded })
  }

  /** A step is on screen; while the timeline is dragged, texts follow at once too. */
  shown(step: number): void {
    if (this.state.seeking === null) return
    this.seeker.shown(step)
    this.state.seeking = this.seeker.pending
    this.feed.show()
  }

  refused(command: string | null): void {
    if (command === 'seek') this.forgetSeek()
    if (command === 'record') this.state.recording = null
    if (command === 'load_recording') {
      this.state.opening = null
      this.desired.recording = this.state.replay?.recording ?? null
    }
  }

  /** The connection is gone, and the replay with it. */
  down(): void {
    this.forgetSeek()
    Object.assign(this.state, { replay: null, opening: null })
  }

  private get step(): number {
    return this.state.seeking ?? this.feed.frame?.step ?? 0
  }

  private forgetSeek(): void {
    this.seeker.forget()
    this.state.seeking = null
  }
}
