import { layerOf } from '../layers.ts'
import type { Package, Violation } from '../workspace.ts'

/** Clients and frameworks that the user creates: he chooses the version, so they are peers. */
const clients = new Set([
  'pg',
  'ioredis',
  'redis',
  'mongodb',
  'nats',
  'kafkajs',
  'prom-client',
  '@opentelemetry/api',
  '@nestjs/common',
  '@nestjs/core',
])

/** Core brings nothing, packages of the workspace are plain dependencies, clients are peers. */
export function checkDependencies(packages: readonly Package[]): readonly Violation[] {
  return packages.flatMap(({ path, manifest }) => {
    const found: Violation[] = []
    const complain = (rule: string, what: string) => found.push({ package: manifest.name, rule, what })
    const { dependencies = {}, peerDependencies = {}, devDependencies = {} } = manifest
    const brought = Object.keys({ ...dependencies, ...peerDependencies, ...manifest.optionalDependencies })
    if (layerOf(path) === 'core' && brought.length > 0)
      complain('core has no dependencies', `it brings ${brought.join(', ')}`)
    for (const [name, range] of Object.entries({ ...devDependencies, ...dependencies })) {
      if (name.startsWith('@evt/') && range !== 'workspace:^')
        complain('workspace ranges', `${name} is "${range}" and must be "workspace:^"`)
    }
    for (const name of Object.keys(peerDependencies)) {
      if (name.startsWith('@evt/')) complain('workspace ranges', `${name} is a peer and must be a plain dependency`)
    }
    for (const name of Object.keys(dependencies)) {
      if (clients.has(name)) complain('clients are peers', `${name} must be a peer dependency`)
    }
    return found
  })
}
