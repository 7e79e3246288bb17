import type { IconName } from '@/common/icons'
import { type ConnectionState, type Refusal, isRestarting } from '@/common/socket'
import { t } from '@/language/text'
import type { CloseCode } from '@/protocol/messages'

export interface ConnectionMessage { icon: IconName; title: string; text: string }

const REFUSAL_ICONS = {
  server_full: 'full', client_full: 'full', rate_limited: 'clock', login_needed: 'key',
} as const satisfies Record<string, IconName>

/** The icons for why the server ended a connection, by its close code. */
const ENDING_ICONS = {
  1008: 'clock', 1009: 'warning', 1011: 'warning', 1012: 'offline', 1013: 'clock', 4401: 'key', 4408: 'clock', 4409: 'clock',
} as const satisfies Record<CloseCode, IconName>

/** Return what to say of a connection that is not open; `what` connects, such as "This page". */
export function describeConnection(state: ConnectionState, what: string): ConnectionMessage {
  if (state.status === 'refused') return describeRefusal(state.refusal, what)
  if (state.status === 'connecting' && !state.wasOpen) {
    return { icon: 'clock', title: t('common.connection.connecting.title'), text: t('common.connection.connecting.text') }
  }
  const ending = state.closeCode !== 1012 || isRestarting(state) ? describeEnding(state.closeCode) : null
  const text = state.wasOpen ? t('common.connection.reconnects') : t('common.connection.noAnswer')
  return ending ?? { icon: 'offline', title: t('common.connection.lost'), text }
}

function describeEnding(code: number | null): ConnectionMessage | null {
  if (code === null || !(code in ENDING_ICONS)) return null
  const known = code as keyof typeof ENDING_ICONS
  const title = t(`common.connection.ending.${known}.title`)
  const icon = ENDING_ICONS[known]
  if (known === 1012) return { icon, title, text: t('common.connection.reconnects') }
  const text = t(`common.connection.ending.${known}.text`)
  // After these two somebody has to do something first.
  const stays = known === 4401 || known === 4408
  return { icon, title, text: stays ? text : `${text} ${t('common.connection.reconnects')}` }
}

function describeRefusal(refusal: Refusal | null, what: string): ConnectionMessage {
  const code = refusal?.code === 'forbidden' ? 'login_needed' : (refusal?.code ?? '')
  if (code in REFUSAL_ICONS) {
    const known = code as keyof typeof REFUSAL_ICONS
    return {
      icon: REFUSAL_ICONS[known], title: t(`common.connection.refusal.${known}.title`),
      text: t(`common.connection.refusal.${known}.text`),
    }
  }
  return { icon: 'offline', title: t('common.connection.cannot', { what }), text: refusal?.message ?? t('common.connection.blocked') }
}
