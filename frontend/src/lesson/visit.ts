import { type Ref, computed, watch } from 'vue'

import { useActive } from '@/common/active'
import { asFlag, remembered } from '@/common/storage'
import { stageOf } from '@/models/details'
import { useModels } from '@/models/store'
import { useRoute } from '@/shell/route'

/** Return whether this browser is here for the first time, in Watch: then a beginner plays, unless the address names another. */
export function useNewcomer(): Ref<boolean> {
  const visited = remembered('visited', false, asFlag)
  const { route, go } = useRoute()
  const models = useModels()
  const active = useActive()

  watch(() => active.value && models.details.length > 0, (known) => {
    const plain = route.model === null && route.world === null && route.recording === null && route.lesson === null
    const beginner = models.details.find((model) => stageOf(model) === 'beginner' && !model.error)
    if (known && !visited.value && plain && beginner) go({ model: beginner.name })
  }, { immediate: true })

  return computed({ get: () => !visited.value, set: (now) => { visited.value = !now } })
}
