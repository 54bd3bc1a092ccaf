namespace Graft.Inference;

/// <summary>Where networks compute for inference. Photos are decoded and resized on the CPU in any case.</summary>
public enum InferenceDevice
{
    Cpu,

    /// <summary>
    /// The first NVIDIA GPU, by ONNX Runtime: see <see cref="DeviceException.Remedy"/> for what it needs. In float32 throughout, without TF32: as another engine, it
    /// agrees with the CPU within 1e-4 of the largest output.
    /// </summary>
    Cuda,
}

/// <summary>The device that was asked for cannot be used; the message says why and what to install. Nothing is computed on another instead.</summary>
public sealed class DeviceException(string problem, Exception? innerException = null) : Exception($"{problem} {Remedy}", innerException)
{
    /// <summary>What a program needs for <see cref="InferenceDevice.Cuda"/>.</summary>
    public static string Remedy =>
        "Reference the package Microsoft.ML.OnnxRuntime.Gpu.Linux or .Windows, and Microsoft.ML.OnnxRuntime with ExcludeAssets=\"all\"; install NVIDIA's driver, CUDA 13 and cuDNN 9; or "
        + "compute on the CPU.";

    /// <summary><see cref="Exception.Message"/> without the remedy.</summary>
    public string Problem { get; } = problem;
}
