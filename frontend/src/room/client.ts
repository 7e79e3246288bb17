import { shallowReactive } from 'vue'

import { socketUrl } from '@/common/http'
import { told } from '@/language/server'
import { type ConnectionState, ReconnectingSocket } from '@/common/socket'
import type {
  InferenceMessage, Joined, Member, RoomCommand, RoomMessage, StateUpdate,
} from '@/protocol/messages'
import { PeerMesh } from '@/room/peers'
import { type RoomState, askedLife, change, emptyRoom, isShownToAll, memberOf, strike } from '@/room/state'
import { FrameFeed } from '@/session/feed'
import type { SharedSession } from '@/session/state'
import { frameOfInference } from '@/world/frame'

export type Spot = readonly [number, number]

/** The server hands on no more than ten places a second; other members take more. */
const POINT_MS = 100
const DIRECT_POINT_MS = 50
const FIRST_AGENT = 'agent_0'

/** Hold one `/ws/room` connection: who is in the room, what they draw, vote and show. */
export class RoomClient {
  readonly state: RoomState
  /** Where the others point, by their numbers. */
  readonly cursors = shallowReactive(new Map<number, Spot>())
  /** The life of the member that one follows, or of whom the teacher shows. */
  readonly feed = new FrameFeed()
  /** Whom the frames in `feed` are of. */
  private shown: number | null = null
  private readonly mesh = new PeerMesh({
    signal: (to, kind, data) => { this.socket.send({ command: 'signal', to, kind, data }) },
    pointed: (member, spot) => {
      this.relayed.delete(member)
      this.pointed(member, spot)
    },
    frame: (member, update) => { this.shownBy(member, update) },
    changed: () => { this.connected() },
  })
  /** Where members point by the server's word, who have not pointed directly since. */
  private readonly relayed = new Map<number, readonly number[] | null>()
  /** The member whose frames come from itself, not over the server. */
  private source: number | null = null
  /** The newest frame of the own life, for those who follow it. */
  private update: StateUpdate | null = null
  private mayConnect = true
  private readonly socket: ReconnectingSocket<RoomMessage, RoomCommand>
  private session: SharedSession | null = null
  /** The session that the last `join` named. */
  private told: SharedSession | null = null
  /** Whether the life that one follows waits, because its instance and this one do not hear each other. */
  private waits = false
  private spot: Spot | null = null
  private pointedAt = -Infinity
  private timer: ReturnType<typeof setTimeout> | null = null
  /** The room in which the server put this member; null while it is in none. */
  private entered: string | null = null

  constructor(
    room: string,
    /** The teacher sends this member to another room. */
    private readonly moved: (room: string) => void,
    url: string = socketUrl('ws/room'),
    /** Random text by which the server knows this tab again, so that it has one vote. */
    private readonly voter: string | null = null,
  ) {
    this.state = shallowReactive(emptyRoom(room))
    this.socket = new ReconnectingSocket(url, {
      opened: () => this.join(),
      message: (message) => { this.receive(message) },
      down: () => {
        this.cursors.clear()
        this.source = null
        this.entered = null
        Object.assign(this.state, emptyRoom(this.state.room))
        this.meet()
      },
    })
  }

  get connection(): ConnectionState { return this.socket.state }

  get me(): Member | null { return this.member(this.state.you) }

  /** The member on whose life there is a vote that this member takes part in, until it looks away from the result. */
  get asked(): number | null { return askedLife(this.state) }

  /** The member whose life is on this screen: the one that all vote on, else the teacher shows, else is followed. */
  get watched(): number | null {
    const { spotlight, you } = this.state
    const { asked } = this
    if (asked !== null) return asked === you ? null : asked
    return spotlight !== null && spotlight !== you ? spotlight : (this.me?.follows ?? null)
  }

  member(number: number | null): Member | null { return memberOf(this.state, number) }

  send(command: RoomCommand): void {
    this.state.error = null
    this.socket.send(command)
  }

  /** Enter a room; one that was full is tried again. */
  enter(room: string): void {
    if (room === this.state.room && room !== this.state.full) return
    Object.assign(this.state, { room, full: null })
    this.send(this.join())
  }

  /** Let others follow this session, or with null none. */
  share(session: SharedSession | null): void {
    if (session?.id === this.session?.id && session?.proof === this.session?.proof) return
    this.session = session
    this.update = null
    if (this.state.you !== null) this.send(this.join())
  }

  /** Point at a place, or at none. Ten times a second the newest is sent. */
  point(spot: Spot | null): void {
    this.spot = spot
    if (this.timer !== null) return
    const wait = this.pointedAt + (this.state.direct ? DIRECT_POINT_MS : POINT_MS) - performance.now()
    if (wait > 0) this.timer = setTimeout(() => { this.pointNow() }, wait)
    else this.pointNow()
  }

  /** Connect to the other members of a group, or with false to nobody: everything goes over the server. */
  connect(may: boolean): void {
    this.mayConnect = may
    this.meet()
  }

  /** Show a frame of the own life to those who follow it and are connected to this member. */
  publish(update: StateUpdate): void {
    this.update = update
    const { you, members } = this.state
    const followers = members.filter(({ member, follows }) => follows === you && this.mesh.isAlive(member))
    if (you === null || followers.length === 0) return
    const text = JSON.stringify(update)
    for (const { member } of followers) this.mesh.show(member, text)
  }

  retry(): void { this.socket.retry() }

  /** Connect anew, because the server knows this browser as somebody else. */
  reopen(): void { this.socket.reopen() }

  close(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.mesh.close()
    this.socket.close()
    this.feed.close()
  }

  private pointNow(): void {
    this.timer = null
    this.pointedAt = performance.now()
    this.mesh.point(this.spot)
    if (!this.state.direct) this.pointOverServer()
  }

  private pointOverServer(): void {
    if (this.state.you !== null) this.socket.send({ command: 'cursor', at: this.spot === null ? null : [...this.spot] })
  }

  /** Be connected to whom the server and this person let one be connected to. */
  private meet(): void {
    const { you, peers, members, stunPort } = this.state
    const others = you === null || !peers || !this.mayConnect ? [] : members.flatMap(({ member }) => (member === you ? [] : [member]))
    this.mesh.meet(you ?? 0, others, stunPort)
    this.connected()
  }

  /** Others are connected than before. */
  private connected(): void {
    const before = this.state.direct
    this.state.direct = this.mesh.isComplete
    if (before && !this.state.direct) this.pointOverServer()
    for (const [member, at] of this.relayed) {
      if (this.mesh.isAlive(member)) continue
      this.relayed.delete(member)
      if (this.member(member) !== null) this.pointed(member, at)
    }
    if (this.source !== null && !this.mesh.isAlive(this.source)) this.receiveFrom(null)
    if (this.update !== null) this.publish(this.update)
  }

  /** Have the frames of whom one follows come from this member itself, or with null over the server. */
  private receiveFrom(source: number | null): void {
    const follows = this.me?.follows ?? null
    this.source = source
    if (follows !== null) this.socket.send({ command: 'set_direct', member: follows, direct: source !== null })
  }

  /** Take a frame that a member sent of its own life, if it is the one that is followed. */
  private shownBy(member: number, update: StateUpdate): void {
    if (member !== this.me?.follows) return
    if (this.source !== member) this.receiveFrom(member)
    if (!isShownToAll(this.state, member)) this.followed(member, update)
  }

  private join(): RoomCommand {
    const { session } = this
    this.told = session
    const own = session === null ? {} : { session: session.id, proof: session.proof }
    return { command: 'join', room: this.state.room, ...own, ...(this.voter === null ? {} : { voter: this.voter }) }
  }

  receive(message: RoomMessage): void {
    const { state } = this
    switch (message.type) {
      case 'joined':
        this.joined(message)
        break
      case 'member_joined':
        state.members = [...state.members, message.member]
        this.meet()
        break
      case 'member_changed':
        change(state, message.member.member, message.member)
        // Its instance was not heard of for a while; the session is there all the same, or will be refused.
        if (message.member.member === state.you && !message.member.has_session && this.told !== null && this.told === this.session) {
          this.socket.send(this.join())
        }
        break
      case 'member_left':
        state.members = state.members.filter(({ member }) => member !== message.member)
        this.cursors.delete(message.member)
        this.meet()
        break
      case 'cursors':
        for (const [number, at] of Object.entries(message.cursors)) {
          if (Number(number) === state.you) continue
          // A member that is connected has sent something newer, unless the connection has just broken.
          if (this.mesh.isAlive(Number(number))) this.relayed.set(Number(number), at)
          else this.pointed(Number(number), at)
        }
        break
      case 'drawn':
        strike(state, message.stroke.member, message.stroke.id)
        state.strokes = [...state.strokes, message.stroke]
        break
      case 'erased':
        if (message.member === null) state.strokes = []
        else strike(state, message.member, message.id)
        break
      case 'drawing_set':
        Object.assign(state, { drawing: message.allowed, drawingEndedBy: message.drawing_ended_by ?? null })
        break
      case 'following':
        change(state, message.member, { follows: message.follows })
        if (message.member === state.you) this.source = null
        else if (message.follows === state.you && this.update !== null) this.publish(this.update)
        break
      case 'spotlight_set':
        state.spotlight = message.member
        // The result was seen, and all look at something else.
        if (state.vote?.open === false && state.vote.member !== message.member) state.joinedVote = null
        break
      case 'vote_changed':
        if (message.vote.number !== state.vote?.number) state.choice = null
        this.setVote(message.vote)
        break
      case 'groups':
        state.groups = message.groups
        break
      case 'moved':
        this.moved(message.room)
        break
      case 'frame':
        if (this.waits) {
          this.waits = false
          state.error = null
        }
        if (message.member !== this.source || isShownToAll(state, message.member)) {
          this.followed(message.member, message.message as InferenceMessage)
        }
        break
      case 'error':
        this.refused(message)
        break
      case 'signal':
        this.mesh.hear(message.sender, message.kind, message.data)
        break
    }
  }

  private joined(message: Joined): void {
    if (message.room !== this.entered) {
      this.cursors.clear()
      Object.assign(this.state, { choice: null, groups: {} })
      this.source = null
    }
    this.entered = message.room
    // A vote may be on its way.
    this.state.choice = message.choice ?? this.state.choice
    if (this.state.full === message.room) this.state.full = null
    Object.assign(this.state, {
      you: message.you, room: message.room, members: message.members, strokes: message.strokes, drawing: message.drawing,
      drawingEndedBy: message.drawing_ended_by ?? null,
      spotlight: message.spotlight, peers: message.peers, stunPort: message.stun_port, error: null,
    })
    this.setVote(message.vote)
    this.meet()
    // It may have begun while the answer was on its way.
    if (this.told !== this.session) this.send(this.join())
  }

  private setVote(vote: RoomState['vote']): void {
    const isNew = vote?.number !== this.state.vote?.number
    this.state.vote = vote
    if (vote?.open) this.state.joinedVote = vote.number
    if (isNew) this.showAgent()
  }

  /** Show the agent that the vote on the life in `feed` is about, else its first one. */
  private showAgent(): void {
    const agent = this.asked === this.shown ? this.state.vote?.agent : undefined
    if (this.feed.followed.value !== (agent ?? FIRST_AGENT)) this.feed.follow(agent ?? FIRST_AGENT)
  }

  private pointed(number: number, at: readonly number[] | null): void {
    const [x, y] = at ?? []
    if (x === undefined || y === undefined) this.cursors.delete(number)
    else this.cursors.set(number, [x, y])
  }

  private followed(number: number, message: InferenceMessage): void {
    if (number !== this.watched) return
    if (number !== this.shown) {
      this.feed.clear()
      this.shown = number
      this.showAgent()
      this.state.controller = 'policy'
    }
    if (message.type === 'playback') this.state.controller = message.controller
    if (message.type === 'state_update') this.feed.push(frameOfInference(message))
  }

  /** Stay in the room where this member is, if it is in one. */
  private foundFull(): void {
    const { room } = this.state
    if (this.entered !== null && this.entered !== room) {
      this.state.room = this.entered
      this.moved(this.entered)
    }
    this.state.full = room
  }

  private refused(error: Extract<RoomMessage, { type: 'error' }>): void {
    if (error.code === 'unproved_session') {
      // The session has ended, or is on another instance: one is in the room all the same, and is not followed.
      this.session = null
      this.socket.send(this.join())
      return
    }
    if (error.code === 'room_full' && error.command === 'join') {
      this.foundFull()
      return
    }
    // Nobody gave these commands, or the room has changed meanwhile: a member has just left, a stroke is gone.
    if (error.command === 'signal' || error.command === 'set_direct' || error.command === 'erase') return
    this.waits = error.command === null
    this.state.error = told(error.message, error.code)
  }
}
