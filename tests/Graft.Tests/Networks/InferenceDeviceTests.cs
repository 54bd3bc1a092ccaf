using Graft.Classifiers;
using Graft.Features;
using Graft.Inference;
using Graft.Networks;
using Graft.Tests.Features;
using Microsoft.ML.OnnxRuntime;

namespace Graft.Tests.Networks;

/// <summary>Whoever asks for a GPU gets one, or is told what is missing.</summary>
public class InferenceDeviceTests
{
    private static void SkipWhereCudaMayBe() =>
        Assert.SkipWhen(OrtEnv.Instance().GetAvailableProviders().Contains("CUDAExecutionProvider"), "this build has ONNX Runtime for CUDA");

    [Fact]
    public void Build_for_the_CPU_refuses_a_GPU()
    {
        SkipWhereCudaMayBe();
        var features = FeatureScene.Backbone();
        string[] expected = ["computes on the CPU alone", "Microsoft.ML.OnnxRuntime.Gpu", "NVIDIA's driver", "CUDA 13", "cuDNN 9"];

        var ofNetwork = Assert.Throws<GraftException>(() => FrozenNetwork.Load(features.Network, features.Weights, device: InferenceDevice.Cuda));
        var ofExported = Assert.Throws<DeviceException>(() => Graft.Inference.Classifier.Open([1, 2, 3], new() { Device = InferenceDevice.Cuda }));

        Assert.Equal("device-missing", ofNetwork.Code);
        Assert.All(expected, part => Assert.Contains(part, ofNetwork.Message, StringComparison.Ordinal));
        Assert.Equal(ofNetwork.Message, ofExported.Message);
    }

    [Fact]
    public void Features_and_models_of_a_GPU_are_never_computed_on_the_CPU()
    {
        SkipWhereCudaMayBe();
        using var scene = new FeatureScene();
        var photos = scene.Photos(2);
        using var blocks = new FeatureBlocks(FeatureScene.Backbone()) { Device = InferenceDevice.Cuda };
        var backbone = FeatureScene.Backbone();
        using var model = ImageClassifier.Of("tiny", backbone.Network, backbone.Weights, backbone.Preprocessing, [.. Enumerable.Range(0, backbone.Network.OutputShape.ElementCount).Select(index => $"{index}")]);
        model.Device = InferenceDevice.Cuda;

        Assert.Equal("device-missing", Assert.Throws<GraftException>(() => blocks.Extract(photos, cache: null, cancellation: TestContext.Current.CancellationToken)).Code);
        Assert.Equal("device-missing", Assert.Throws<GraftException>(() => model.Predict(photos[0].Path)).Code);
    }

    [Fact]
    public void Device_is_chosen_before_the_first_prediction()
    {
        using var scene = new FeatureScene();
        var backbone = FeatureScene.Backbone();
        using var model = ImageClassifier.Of("tiny", backbone.Network, backbone.Weights, backbone.Preprocessing, [.. Enumerable.Range(0, backbone.Network.OutputShape.ElementCount).Select(index => $"{index}")]);
        model.Predict(scene.Photos(1)[0].Path);

        Assert.Throws<InvalidOperationException>(() => model.Device = InferenceDevice.Cuda);
        model.Device = InferenceDevice.Cpu;
    }

    [Fact]
    public void Libtorch_computes_frozen_networks_on_the_CPU_alone()
    {
        var features = FeatureScene.Backbone();

        var problem = Assert.Throws<GraftException>(() => FrozenNetwork.Load(features.Network, features.Weights, InferenceEngine.Torch, InferenceDevice.Cuda));

        Assert.Contains("Take the engine Onnx", problem.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Features_of_a_GPU_are_not_taken_for_the_CPUs()
    {
        var features = FeatureScene.Backbone();
        string Key(InferenceDevice device) => new FeatureExtractor(features, new(() => null!), null, null, InferenceEngine.Onnx, device).SpaceKey;

        Assert.NotEqual(Key(InferenceDevice.Cpu), Key(InferenceDevice.Cuda));
    }

    [Theory]
    [InlineData(InferenceDevice.Cpu, false, "CPUExecutionProvider")]
    [InlineData(InferenceDevice.Cuda, true, "CPUExecutionProvider")]
    [InlineData(InferenceDevice.Cuda, true, "TensorrtExecutionProvider", "CPUExecutionProvider")]
    [InlineData(InferenceDevice.Cuda, false, "TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider")]
    public void Device_needs_its_provider(InferenceDevice device, bool isMissing, params string[] providers) =>
        Assert.Equal(isMissing, DeviceSession.Missing(device, providers) is not null);

    /// <summary>What ONNX Runtime says.</summary>
    [Theory]
    [InlineData("[ErrorCode:Fail] CUDA failure 100: no CUDA-capable device is detected ; GPU=-1", true)]
    [InlineData("[ErrorCode:Fail] CUDNN failure 1: CUDNN_STATUS_NOT_INITIALIZED", true)]
    [InlineData("[ErrorCode:InvalidProtobuf] Load model from buffer failed:Protobuf parsing failed.", false)]
    public void Failures_of_the_device_are_told_from_those_of_the_model(string message, bool isOfDevice) => Assert.Equal(isOfDevice, DeviceSession.IsOfCuda(message));

    [Fact]
    public void Missing_library_is_named() => Assert.Equal(
        "libcublasLt.so.13: cannot open shared object file: No such file or directory",
        DeviceSession.Reason("[ErrorCode:Fail] /onnxruntime_src/onnxruntime/core/session/provider_bridge_ort.cc:2043 onnxruntime::Provider& onnxruntime::ProviderLibrary::Get() "
            + "[ONNXRuntimeError] : 1 : FAIL : Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open shared object file: No such file or directory\n"));

    [Theory]
    [InlineData(InferenceDevice.Cpu, 2, "int8", null)]
    [InlineData(InferenceDevice.Cuda, 1, "float32", null)]
    [InlineData(InferenceDevice.Cuda, 1, null, null)]
    [InlineData(InferenceDevice.Cuda, 2, "float32", "joins several networks")]
    [InlineData(InferenceDevice.Cuda, 1, "int8", "int8 weights")]
    public void Models_that_compute_on_the_CPU_alone_say_so(InferenceDevice device, int networks, string? precision, string? reason)
    {
        var problem = DeviceSession.Unsuited(device, "flowers.onnx", networks, precision);

        if (reason is null) Assert.Null(problem);
        else Assert.Contains(reason, problem, StringComparison.Ordinal);
    }
}
