import { useMediaQuery, usePreferredDark } from '@vueuse/core'
import { defineStore } from 'pinia'
import { computed, watchEffect } from 'vue'

import { asFlag, remembered } from '@/common/storage'

const THEMES = ['system', 'light', 'dark'] as const
export type Theme = (typeof THEMES)[number]

/** What this person prefers, in this browser. */
export const usePreferences = defineStore('preferences', () => {
  const theme = remembered<Theme>('theme', 'system', (stored) => THEMES.find((name) => name === stored))
  /** Single-key shortcuts can disturb speech input, so they can be switched off (WCAG 2.1.4). */
  const shortcuts = remembered('shortcuts', true, asFlag)

  const systemIsDark = usePreferredDark()
  const reducedMotion = useMediaQuery('(prefers-reduced-motion: reduce)')
  const dark = computed(() => (theme.value === 'system' ? systemIsDark.value : theme.value === 'dark'))

  watchEffect(() => {
    if (theme.value === 'system') delete document.documentElement.dataset.theme
    else document.documentElement.dataset.theme = theme.value
  })

  function nextTheme(): void {
    theme.value = THEMES[(THEMES.indexOf(theme.value) + 1) % THEMES.length] ?? 'system'
  }

  return { theme, shortcuts, dark, reducedMotion, nextTheme }
})
