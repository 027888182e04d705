// A stand-in for the driver of a machine without a GPU: it initialises, and finds no GPU. The real cuDNN compiles the
// fused kernels of its plans only if there is a driver, and needs nothing else from it.

extern "C" {

int cuInit(unsigned /*flags*/) { return 0; }
int cuDeviceGetCount(int* count) {
  *count = 0;
  return 0;
}

#define THALWEG_NO_DEVICE(name) \
  int name() { return 100; }
THALWEG_NO_DEVICE(cuCtxGetCurrent)
THALWEG_NO_DEVICE(cuCtxGetDevice)
THALWEG_NO_DEVICE(cuCtxGetLimit)
THALWEG_NO_DEVICE(cuCtxPopCurrent)
THALWEG_NO_DEVICE(cuCtxPushCurrent)
THALWEG_NO_DEVICE(cuDeviceGet)
THALWEG_NO_DEVICE(cuDeviceGetAttribute)
THALWEG_NO_DEVICE(cuDevicePrimaryCtxRelease)
THALWEG_NO_DEVICE(cuDevicePrimaryCtxReset)
THALWEG_NO_DEVICE(cuDevicePrimaryCtxRetain)
THALWEG_NO_DEVICE(cuDriverGetVersion)
THALWEG_NO_DEVICE(cuFuncGetAttribute)
THALWEG_NO_DEVICE(cuFuncSetAttribute)
THALWEG_NO_DEVICE(cuGetErrorName)
THALWEG_NO_DEVICE(cuGetErrorString)
THALWEG_NO_DEVICE(cuGetExportTable)
THALWEG_NO_DEVICE(cuKernelGetAttribute)
THALWEG_NO_DEVICE(cuKernelSetAttribute)
THALWEG_NO_DEVICE(cuLaunchCooperativeKernel)
THALWEG_NO_DEVICE(cuLaunchKernel)
THALWEG_NO_DEVICE(cuLaunchKernelEx)
THALWEG_NO_DEVICE(cuLibraryGetKernel)
THALWEG_NO_DEVICE(cuLibraryLoadData)
THALWEG_NO_DEVICE(cuLibraryLoadFromFile)
THALWEG_NO_DEVICE(cuLibraryUnload)
THALWEG_NO_DEVICE(cuLinkAddData)
THALWEG_NO_DEVICE(cuLinkAddData_v2)
THALWEG_NO_DEVICE(cuLinkAddFile_v2)
THALWEG_NO_DEVICE(cuLinkComplete)
THALWEG_NO_DEVICE(cuLinkCreate)
THALWEG_NO_DEVICE(cuLinkCreate_v2)
THALWEG_NO_DEVICE(cuLinkDestroy)
THALWEG_NO_DEVICE(cuMemcpyDtoH_v2)
THALWEG_NO_DEVICE(cuModuleGetFunction)
THALWEG_NO_DEVICE(cuModuleGetGlobal_v2)
THALWEG_NO_DEVICE(cuModuleLoadData)
THALWEG_NO_DEVICE(cuModuleLoadDataEx)
THALWEG_NO_DEVICE(cuModuleLoadFatBinary)
THALWEG_NO_DEVICE(cuModuleUnload)
THALWEG_NO_DEVICE(cuOccupancyMaxActiveBlocksPerMultiprocessor)
THALWEG_NO_DEVICE(cuOccupancyMaxPotentialClusterSize)
THALWEG_NO_DEVICE(cuStreamGetCtx)
THALWEG_NO_DEVICE(cuStreamSynchronize)
THALWEG_NO_DEVICE(cuTensorMapEncodeTiled)
}
