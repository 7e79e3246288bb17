/** The page's German texts. */
import type { Catalogue } from '@/language/message'
import access from '@/messages/de/access.json'
import classroom from '@/messages/de/classroom.json'
import common from '@/messages/de/common.json'
import company from '@/messages/de/company.json'
import compare from '@/messages/de/compare.json'
import editor from '@/messages/de/editor.json'
import errors from '@/messages/de/errors.json'
import failures from '@/messages/de/failures.json'
import lab from '@/messages/de/lab.json'
import lesson from '@/messages/de/lesson.json'
import life from '@/messages/de/life.json'
import models from '@/messages/de/models.json'
import play from '@/messages/de/play.json'
import policy from '@/messages/de/policy.json'
import replay from '@/messages/de/replay.json'
import replays from '@/messages/de/replays.json'
import room from '@/messages/de/room.json'
import runs from '@/messages/de/runs.json'
import shell from '@/messages/de/shell.json'
import sweep from '@/messages/de/sweep.json'
import terms from '@/messages/de/terms.json'
import train from '@/messages/de/train.json'
import watch from '@/messages/de/watch.json'
import world from '@/messages/de/world.json'
import worlds from '@/messages/de/worlds.json'

export default {
  access,
  classroom,
  common,
  company,
  compare,
  editor,
  errors,
  failures,
  lab,
  lesson,
  life,
  models,
  play,
  policy,
  replay,
  replays,
  room,
  runs,
  shell,
  sweep,
  terms,
  train,
  watch,
  world,
  worlds,
} satisfies Catalogue
