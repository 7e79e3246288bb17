import type { SweepTrial } from '@/protocol/messages'
import { t } from '@/language/text'
import { parameterLabel, parameterText } from '@/train/parameters'

/** Return the settings and the world by which trials differ from others, in words; empty where only seeds differ. */
export function settingText({ settings, world }: Pick<SweepTrial, 'settings' | 'world'>): string {
  const said = Object.entries(settings).map(([name, value]) => t('sweep.setting', { name: parameterLabel(name), value: parameterText(name, value) }))
  return [...said, ...(world === null ? [] : [world])].join(', ')
}

/** Return the name of a line of the chart. */
export function bandLabel(trials: readonly SweepTrial[]): string {
  const [first] = trials
  const setting = first === undefined ? '' : settingText(first)
  return setting === '' ? t('sweep.median', { count: trials.length }) : t('sweep.medianOf', { setting, count: trials.length })
}
