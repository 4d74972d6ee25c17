/** `npm run faults`: see `usage` in arguments.ts. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isMeant, readArguments, usage } from './arguments.ts'
import { bugs } from './bugs/index.ts'
import { isGood, printResult, printSummary, progressLine } from './report.ts'
import { type Order, type Result, runScenario } from './run-scenario.ts'
import type { Need } from './scenario.ts'
import { scenarios } from './scenarios/index.ts'
import { lacking } from './scenarios/lacking.ts'
import { createServers } from './servers.ts'
import { type Stage, stageOf } from './stages.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

async function main(): Promise<boolean> {
  const wanted = readArguments(process.argv.slice(2))
  if (wanted.help) {
    console.log(usage)
    return true
  }
  const chosen =
    wanted.ids.length === 0 ? scenarios : scenarios.filter(({ id }) => wanted.ids.some((wish) => isMeant(id, wish)))
  if (wanted.list) {
    for (const { id, title, needs } of scenarios)
      console.log(
        `${id.padEnd(4)} ${title}${needs ? ` (needs ${needs === 'broker' ? 'a broker' : 'a broker beside PostgreSQL'})` : ''}`,
      )
    for (const { id, title, lacks } of lacking) console.log(`${id.padEnd(4)} ${title} (not yet: needs ${lacks})`)
    return true
  }
  const folder = `${root}.faults/${new Date().toISOString().replaceAll(/[:.]/g, '-')}`
  console.log(`seed ${wanted.seed}, ${wanted.tier} tier`)
  const leftOut: string[] = []
  const common = { tier: wanted.tier, seed: wanted.seed, folder }
  const orders: Order[] = []
  for (const transport of wanted.bugs ? [] : wanted.transports) {
    for (const scenario of chosen) {
      const { needs } = scenario
      const lacking = lackOf(stageOf(transport), needs)
      if (lacking !== undefined) leftOut.push(`${scenario.id} on ${transport}: needs ${lacking}`)
      else orders.push({ ...common, scenario, transport, bug: wanted.bug })
    }
  }
  const whole = wanted.ids.length === 0 && wanted.bug === undefined
  if (whole && !wanted.bugs) leftOut.push(...lacking.map(({ id, lacks }) => `${id}: needs ${lacks}, not there yet`))
  for (const [name, { scenario: id, quick }] of Object.entries(bugs)) {
    const scenario = chosen.find((one) => one.id === id)
    const isDue = wanted.bugs || (whole && (wanted.tier === 'long' || quick === true))
    if (scenario !== undefined && isDue && wanted.transports.includes('memory'))
      orders.push({ ...common, tier: 'quick', scenario, transport: 'memory', bug: name })
  }
  const results = await runAll(orders, wanted.jobs)
  for (const reason of leftOut) console.log(`left out  ${reason}`)
  if (wanted.json !== undefined) {
    const passed = results.filter(isGood).length
    const { seed, tier } = wanted
    const report = { seed, tier, passed, failed: results.length - passed, results, leftOut }
    writeFileSync(wanted.json, JSON.stringify(report, null, 1))
  }
  return printSummary(results)
}

function lackOf({ apart, broker }: Stage, need: Need | undefined): string | undefined {
  if (need === 'broker' && !apart) return 'a broker'
  return need === 'anotherBroker' && (!apart || broker === 'postgres') ? 'a broker beside PostgreSQL' : undefined
}

/** Several at once, each lane with servers of its own: some scenarios restart them. */
async function runAll(orders: readonly Order[], jobs: number): Promise<readonly Result[]> {
  const waiting = [...orders.entries()]
  const results: Result[] = []
  const lane = async () => {
    const servers = createServers()
    try {
      for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
        const [index, order] = next
        const line = progressLine(`${index + 1}/${orders.length} ${order.scenario.id} on ${order.transport}`)
        const result = await runScenario(order, servers, line.show)
        line.clear()
        printResult(result)
        results[index] = result
      }
    } finally {
      await servers.stop()
    }
  }
  await Promise.all(Array.from({ length: Math.min(jobs, orders.length) }, lane))
  return results
}

try {
  process.exitCode = (await main()) ? 0 : 1
} catch (error) {
  console.error(`${(error as Error).message}\n\n${usage}`)
  process.exitCode = 2
}
