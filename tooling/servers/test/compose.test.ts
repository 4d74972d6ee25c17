import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseEnv } from 'node:util'
import { composeServices } from '../src/compose.ts'
import { kinds } from '../src/kinds.ts'

const addresses = parseEnv(readFileSync(join(__dirname, '../../../.env.compose'), 'utf8'))
const all = Object.values(kinds)

it('docker-compose.yml opens every service of .env.compose at its address, on this machine only', async () => {
  const open = Object.entries(await composeServices()).filter(([, { profiles }]) => profiles === undefined)
  const found = open.map(([name, { ports = [] }]) => {
    const kind = all.find((candidate) => candidate.container(1, {}).service === name)!
    const { hostname, port } = new URL(addresses[kind.variable]!)
    expect(ports).toEqual([`${hostname}:${port}:${port}`])
    expect(hostname).toBe('127.0.0.1')
    return kind.variable
  })
  expect(found.sort()).toEqual(Object.keys(addresses).sort())
  expect(found).toHaveLength(5)
})

it('the addresses of .env.compose differ from those of a test container in the port alone', () => {
  for (const kind of all.filter(({ variable }) => addresses[variable] !== undefined)) {
    const port = Number(new URL(addresses[kind.variable]!).port)
    expect(kind.container(port, {}).url).toBe(addresses[kind.variable])
  }
})

it('every service of docker-compose.yml has an exact image, and those that are used by hand a health check', async () => {
  for (const { image, profiles, healthcheck } of Object.values(await composeServices())) {
    expect(image).toMatch(/:\d+\.\d+(\.\d+)?(-alpine)?$/)
    if (profiles === undefined) expect(healthcheck).toBeDefined()
  }
})

it('every kind of server has a service in docker-compose.yml', async () => {
  const services = await composeServices()
  for (const kind of all) expect(Object.keys(services)).toContain(kind.container(1, {}).service)
})
