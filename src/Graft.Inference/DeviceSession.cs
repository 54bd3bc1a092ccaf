using Microsoft.ML.OnnxRuntime;

namespace Graft.Inference;

/// <summary>Sessions of ONNX Runtime on the device that was asked for, never on another.</summary>
internal static class DeviceSession
{
    private const string Provider = "CUDAExecutionProvider";

    /// <summary>TF32 would round the factors of each product to 10 bits.</summary>
    private static readonly Dictionary<string, string> CudaOptions = new() { ["device_id"] = "0", ["use_tf32"] = "0" };

    /// <summary>Whether this build and this machine's libraries have the device. Whether there is a GPU shows when a model is opened.</summary>
    /// <exception cref="DeviceException">They lack it.</exception>
    public static void Check(InferenceDevice device)
    {
        using var options = OnnxSessions.Options();
        Use(device, options);
    }

    /// <exception cref="DeviceException">The device cannot be used.</exception>
    /// <exception cref="OnnxRuntimeException">The model is damaged.</exception>
    public static InferenceSession Open(byte[] model, SessionOptions options, InferenceDevice device)
    {
        Use(device, options);
        try
        {
            return new(model, options);
        }
        catch (OnnxRuntimeException failure) when (device != InferenceDevice.Cpu && IsOfCuda(failure.Message))
        {
            throw Unusable(failure);
        }
    }

    /// <summary>Null where ONNX Runtime was built with what the device needs.</summary>
    /// <param name="providers">What it was built with.</param>
    internal static string? Missing(InferenceDevice device, IEnumerable<string> providers) => device == InferenceDevice.Cpu || providers.Contains(Provider)
        ? null
        : "The ONNX Runtime at hand computes on the CPU alone.";

    /// <summary>Why an exported model is not for a device; null where it is.</summary>
    /// <param name="name">The model's.</param>
    /// <param name="networks">How many networks are inside.</param>
    /// <param name="precision">Of its weights: see <see cref="ModelMetadata.PrecisionKey"/>.</param>
    internal static string? Unsuited(InferenceDevice device, string name, int networks, string? precision) => device == InferenceDevice.Cpu ? null
        : networks > 1 ? $"{name} joins several networks and resizes photos for each inside, to the same pixels on the CPU alone. Open it there."
        : precision == "int8" ? $"{name} has int8 weights, which ONNX Runtime multiplies on the CPU alone. Open it there, or export the model as float32."
        : null;

    /// <summary>Whether a failure is CUDA's, and not the model's.</summary>
    internal static bool IsOfCuda(string message) =>
        ((string[])["CUDA", "cuDNN", "cuBLAS"]).Any(library => message.Contains(library, StringComparison.OrdinalIgnoreCase));

    private static void Use(InferenceDevice device, SessionOptions options)
    {
        if (device == InferenceDevice.Cpu) return;
        if (Missing(device, OrtEnv.Instance().GetAvailableProviders()) is { } missing) throw new DeviceException(missing);
        try
        {
            using var cuda = new OrtCUDAProviderOptions();
            cuda.UpdateOptions(CudaOptions);
            options.AppendExecutionProvider_CUDA(cuda);
        }
        catch (OnnxRuntimeException failure)
        {
            throw Unusable(failure);
        }
    }

    private static DeviceException Unusable(OnnxRuntimeException failure) => new($"ONNX Runtime cannot use CUDA on this machine: {Reason(failure.Message)}.", failure);

    /// <summary>Without the places in ONNX Runtime's source that it begins with.</summary>
    internal static string Reason(string message) => message.Split("with error: ")[^1].Split('\n')[0].TrimEnd('.', ' ');
}
