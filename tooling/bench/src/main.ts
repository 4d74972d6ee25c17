import { parseArgs } from 'node:util'
import { type Result, runWorkload } from './run-workload.ts'
import { w1 } from './w1.ts'
import { w2 } from './w2.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false }, rounds: { type: 'string', default: '7' } },
})
const wanted = positionals.map((id) => id.toLowerCase())
const workloads = [...w1, ...w2].filter(
  ({ id }) => wanted.length === 0 || wanted.some((each) => id === each || id.startsWith(`${each}.`)),
)
if (workloads.length === 0) throw new Error(`No workload is called ${wanted.join(' or ')}`)

const results: Result[] = []
for (const workload of workloads) {
  const result = await runWorkload(workload, { rounds: Number(values.rounds) })
  results.push(result)
  if (!values.json) print(result)
}
if (values.json) console.log(JSON.stringify(results, undefined, 2))

function print({ id, title, measured }: Result): void {
  console.log(`\n${id}  ${title}`)
  const width = Math.max(...measured.map(({ contender }) => contender.length))
  for (const { contender, medianNs, minNs, maxNs, perSecond, cpuNs, ratio, cpuRatio } of measured) {
    const time = `${medianNs.toFixed(0).padStart(7)} ns (${minNs.toFixed(0)}-${maxNs.toFixed(0)})`.padEnd(28)
    const rate = `${Math.round(perSecond).toLocaleString('en').padStart(10)}/s`
    const cpu = `cpu ${cpuNs.toFixed(0).padStart(6)} ns  ${cpuRatio.toFixed(2)}x`
    console.log(`  ${contender.padEnd(width)} ${time} ${rate}  ${ratio.toFixed(2)}x   ${cpu}`)
  }
}
