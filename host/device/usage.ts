/**
 * Flags of the WebGPU specification (sections 5.1.2 and 5.2.1), as constants: the binding that defines them as globals
 * is only loaded when a device is opened. A device test compares them with the binding's own.
 */
export const MAP_READ = 0x0001
export const COPY_SRC = 0x0004
export const COPY_DST = 0x0008
export const UNIFORM = 0x0040
export const STORAGE = 0x0080
export const QUERY_RESOLVE = 0x0200
export const MAP_MODE_READ = 0x0001
export const STAGE_COMPUTE = 0x0004
