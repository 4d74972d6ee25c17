import { once } from 'node:events'
import type { Answer, Question } from './contender-process.ts'
import { startContender } from './start-contender.ts'
import type { StartedContender } from './started-contender.ts'
import { type WorkloadFile, workloadsIn } from './workloads.ts'

/** A process of one contender: answers its start, then one question after the other, and ends with its parent. */
const [file, id, index, ...serverPids] = process.argv.slice(2)
process.once('disconnect', () => process.exit())
let contender: StartedContender | undefined
await answer(start())
while (contender !== undefined) {
  const [question] = (await once(process, 'message')) as [Question]
  await answer(question.ask === 'round' ? contender.round(question.kind) : contender[question.ask]())
}

async function start(): Promise<void> {
  const workload = (await workloadsIn(file as WorkloadFile)).find((each) => each.id === id)
  if (workload === undefined || workload.kind === 'samples') throw new Error(`${file} has no timed workload ${id}`)
  contender = await startContender(workload, Number(index), serverPids.map(Number))
}

async function answer(work: Promise<unknown>): Promise<void> {
  const said: Answer = await work.then(
    (value) => ({ value }),
    (error) => ({ failure: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
  )
  process.send!(said)
}
