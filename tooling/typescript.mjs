/** Lets this Node run the workspace's TypeScript sources: `node --conditions=@evt/source --import ./tooling/typescript.mjs …`. */
import { register } from 'node:module'

register('./typescript-hooks.mjs', import.meta.url)
