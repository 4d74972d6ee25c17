/** Who a package is, read off its path alone. */
export type Layer = 'core' | 'backend' | 'capability' | 'adapter' | 'surface'

const surfaces = new Set(['packages/monitor/http', 'packages/monitor/grpc', 'packages/monitor/dashboard'])

export function layerOf(path: string): Layer {
  const [, family, leaf] = path.split('/')
  if (leaf === undefined) return family === 'core' ? 'core' : 'surface'
  if (family === 'backend') return 'backend'
  if (leaf === 'core') return 'capability'
  return surfaces.has(path) ? 'surface' : 'adapter'
}

/** The name that a path stands for: `packages/outbox/pg` is `@evt/outbox-pg`. */
export function nameOf(path: string): string {
  const [, family, leaf] = path.split('/')
  if (leaf === undefined || leaf === 'core') return `@evt/${family}`
  return family === 'backend' ? `@evt/${leaf}` : `@evt/${family}-${leaf}`
}

/** Whether the package at one path may import the one at the other. */
export function mayImport(importer: string, imported: string): boolean {
  const layer = layerOf(imported)
  switch (layerOf(importer)) {
    case 'core':
      return false
    case 'backend':
    case 'capability':
      return layer === 'core'
    case 'adapter':
      return layer === 'core' || layer === 'backend' || imported === `${parentOf(importer)}/core`
    case 'surface':
      return layer === 'core' || layer === 'capability'
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'))
}
