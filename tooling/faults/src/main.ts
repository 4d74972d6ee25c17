/** `npm run faults`: see `usage` in arguments.ts. */
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { isMeant, readArguments, usage } from './arguments.ts'
import { bugs } from './bugs/index.ts'
import { printResult, printSummary, progressLine } from './report.ts'
import { type Order, type Result, runScenario } from './run-scenario.ts'
import { scenarios } from './scenarios/index.ts'
import { createServers } from './servers.ts'
import { stageOf } from './stages.ts'

const root = fileURLToPath(new URL('../../..', import.meta.url))

async function main(): Promise<boolean> {
  const wanted = readArguments(process.argv.slice(2))
  const chosen =
    wanted.ids.length === 0 ? scenarios : scenarios.filter(({ id }) => wanted.ids.some((wish) => isMeant(id, wish)))
  if (wanted.list) {
    for (const { id, title, needs } of scenarios)
      console.log(`${id.padEnd(4)} ${title}${needs ? ` (needs ${needs})` : ''}`)
    return true
  }
  const folder = `${root}.faults/${new Date().toISOString().replaceAll(/[:.]/g, '-')}`
  console.log(`seed ${wanted.seed}, ${wanted.tier} tier`)
  const orders: Order[] = []
  const leftOut: string[] = []
  const common = { tier: wanted.tier, seed: wanted.seed, folder }
  if (wanted.bugs) {
    for (const [name, { scenario: id }] of Object.entries(bugs)) {
      const scenario = scenarios.find((one) => one.id === id)!
      if (chosen.includes(scenario)) orders.push({ ...common, tier: 'quick', scenario, transport: 'memory', bug: name })
    }
  } else {
    for (const transport of wanted.transports) {
      for (const scenario of chosen) {
        const { needs } = scenario
        if (needs === 'broker' && !stageOf(transport).apart)
          leftOut.push(`${scenario.id} on ${transport}: needs a broker`)
        else orders.push({ ...common, scenario, transport, bug: wanted.bug })
      }
    }
  }
  const servers = createServers()
  const results: Result[] = []
  try {
    for (const [index, order] of orders.entries()) {
      const line = progressLine(`${index + 1}/${orders.length} ${order.scenario.id} on ${order.transport}`)
      const result = await runScenario(order, servers, line.show)
      line.clear()
      printResult(result)
      results.push(result)
    }
  } finally {
    await servers.stop()
  }
  for (const reason of leftOut) console.log(`left out  ${reason}`)
  if (wanted.json !== undefined) {
    writeFileSync(wanted.json, JSON.stringify({ seed: wanted.seed, tier: wanted.tier, results, leftOut }, null, 1))
  }
  return printSummary(results)
}

try {
  process.exitCode = (await main()) ? 0 : 1
} catch (error) {
  console.error(`${(error as Error).message}\n\n${usage}`)
  process.exitCode = 2
}
