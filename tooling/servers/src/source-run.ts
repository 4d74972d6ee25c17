import { fileURLToPath } from 'node:url'

/** How a source file of this repository is run: with these flags of Node, from this directory. */
export const sourceRun: { readonly execArgv: string[]; readonly cwd: string } = {
  execArgv: ['--conditions=@evt/source', '--import', './tooling/typescript.mjs'],
  cwd: fileURLToPath(new URL('../../..', import.meta.url)),
}
