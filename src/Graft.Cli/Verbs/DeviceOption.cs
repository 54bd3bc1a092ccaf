using System.CommandLine;
using Graft.Inference;
using Graft.Networks;

namespace Graft.Cli.Verbs;

/// <summary><c>--device</c>: where networks compute, for verbs that do not train.</summary>
internal sealed class DeviceOption
{
    private readonly Option<string> _device = new("--device")
    {
        Description = "Where networks compute: cpu or cuda, an NVIDIA GPU",
        HelpName = "NAME",
        DefaultValueFactory = _ => "cpu",
    };

    public DeviceOption() => _device.AcceptOnlyFromAmong("cpu", "cuda");

    public void AddTo(Command command) => command.Add(_device);

    /// <param name="engine">What is to compute there.</param>
    /// <exception cref="UsageException">The engine computes on the CPU alone.</exception>
    /// <exception cref="GraftException">This build or this machine lacks the device.</exception>
    public InferenceDevice Value(ParseResult parsed, InferenceEngine engine = InferenceEngine.Onnx)
    {
        var device = parsed.GetValue(_device) == "cuda" ? InferenceDevice.Cuda : InferenceDevice.Cpu;
        if (device != InferenceDevice.Cpu && engine != InferenceEngine.Onnx)
            throw new UsageException($"{_device.Name} cuda computes by ONNX Runtime. Leave --engine out.");
        try
        {
            DeviceSession.Check(device);
        }
        catch (DeviceException missing)
        {
            throw Phrased(missing);
        }
        return device;
    }

    /// <summary>In the command's words.</summary>
    public static GraftException Phrased(DeviceException missing) => new(missing.Problem, missing) { Code = "device-missing", Remedy = DeviceException.Remedy };
}
