/** The page's English texts, a file for each domain. */
import access from '@/messages/en/access.json'
import classroom from '@/messages/en/classroom.json'
import common from '@/messages/en/common.json'
import company from '@/messages/en/company.json'
import compare from '@/messages/en/compare.json'
import editor from '@/messages/en/editor.json'
import errors from '@/messages/en/errors.json'
import failures from '@/messages/en/failures.json'
import lab from '@/messages/en/lab.json'
import lesson from '@/messages/en/lesson.json'
import life from '@/messages/en/life.json'
import models from '@/messages/en/models.json'
import play from '@/messages/en/play.json'
import policy from '@/messages/en/policy.json'
import replay from '@/messages/en/replay.json'
import replays from '@/messages/en/replays.json'
import room from '@/messages/en/room.json'
import runs from '@/messages/en/runs.json'
import shell from '@/messages/en/shell.json'
import sweep from '@/messages/en/sweep.json'
import terms from '@/messages/en/terms.json'
import train from '@/messages/en/train.json'
import watch from '@/messages/en/watch.json'
import world from '@/messages/en/world.json'
import worlds from '@/messages/en/worlds.json'

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
}
