using System.Text.RegularExpressions;
using Graft.Inference;
using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Graft.Networks.Onnx;

/// <summary>A user-supplied ONNX model, which may have the channels first, as Graft and PyTorch have them, or last, as TensorFlow.</summary>
internal sealed class OnnxGraphNetwork : FrozenNetwork
{
    /// <summary>For one image; the largest networks take a few seconds on one core.</summary>
    internal static TimeSpan TimeLimit { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>Of the activations of all images at a time; those of one image of the largest networks take a tenth of it.</summary>
    private const uint BudgetBytes = 2u << 30;

    private static readonly Lazy<OrtEnv> Budget = new(() =>
    {
        const int sameAsRequested = 1, usual = -1;
        using var memory = new OrtMemoryInfo(OrtMemoryInfo.allocatorCPU, OrtAllocatorType.ArenaAllocator, 0, OrtMemType.Default);
        using var arena = new OrtArenaCfg(BudgetBytes, sameAsRequested, usual, usual);
        try
        {
            OrtEnv.Instance().CreateAndRegisterAllocator(memory, arena);
        }
        catch (OnnxRuntimeException)
        {
            // The application registered one of its own, with its own limit.
        }
        return OrtEnv.Instance();
    });

    /// <summary>Held by one image alone where there was no memory for it beside others.</summary>
    private static readonly ReaderWriterLockSlim Turn = new();

    private readonly InferenceSession _session;
    private readonly string _output;
    private readonly bool _channelsLast;
    private readonly TensorShape _inputShape, _outputShape;

    public OnnxGraphNetwork(byte[] model, TensorShape inputShape, TensorShape outputShape, InferenceDevice device = InferenceDevice.Cpu)
    {
        try
        {
            _session = Open(model, device);
        }
        catch (OnnxRuntimeException problem)
        {
            throw new GraftException($"ONNX Runtime cannot open the ONNX model inside: {problem.Message}", problem);
        }
        _output = _session.OutputNames[0];
        _channelsLast = ImageOf(_session, "the model").ChannelsLast;
        (_inputShape, _outputShape) = (inputShape, outputShape);
    }

    /// <summary>A stranger's model reads no other file, and its activations share one budget of memory with those of all such models.</summary>
    public static InferenceSession Open(byte[] model, InferenceDevice device = InferenceDevice.Cpu)
    {
        using var options = OnnxSessions.Options().WithoutExternalData();
        _ = Budget.Value;
        options.AddSessionConfigEntry("session.use_env_allocators", "1");
        options.AddSessionConfigEntry("session.use_device_allocator_for_initializers", "1");
        return OnnxNetwork.Open(model, options, device);
    }

    /// <summary>What the model says of its image; sizes that it leaves open are null.</summary>
    /// <exception cref="GraftException">It takes something else than one image of three colors.</exception>
    public static (bool ChannelsLast, int? Height, int? Width) ImageOf(InferenceSession session, string path)
    {
        var inputs = session.InputMetadata.Where(entry => !session.OverridableInitializerMetadata.ContainsKey(entry.Key)).ToList();
        if (inputs is [{ Value: { IsTensor: true, Dimensions: [var count, var first, var second, var third] } input }]
            && input.ElementType == typeof(float) && count is 1 or < 1)
        {
            if (first == 3 || third != 3) return (false, Size(second), Size(third));
            return (true, Size(first), Size(second));
        }
        throw new GraftException(
            $"Expected one input of float32 images, [N, 3, height, width] or [N, height, width, 3], found "
            + $"{string.Join(" and ", inputs.Select(entry => $"{entry.Key} [{string.Join(", ", entry.Value.Dimensions)}] of {entry.Value.ElementType?.Name}"))} "
            + $"in {path}. Export the model with one image, or any number of them, as its input.");

        static int? Size(int dimension) => dimension < 1 ? null : dimension;
    }

    /// <summary>The shape of what the model computes from one image of this size.</summary>
    public static TensorShape OutputShape(InferenceSession session, (bool ChannelsLast, int? Height, int? Width) image, int height, int width, string path) =>
        OutputShapes(session, image, height, width, path).TryGetValue(session.OutputNames[0], out var shape)
            ? shape
            : throw new GraftException(
                $"Expected a float32 output [N, channels, height, width], [N, tokens, channels] or [N, features] of {path}, found another.")
            {
                Code = "unsuitable-output",
                Value = path,
                Remedy = "Cut the model at another tensor.",
            };

    /// <summary>By name: the shapes of the outputs that can be features.</summary>
    public static Dictionary<string, TensorShape> OutputShapes(
        InferenceSession session, (bool ChannelsLast, int? Height, int? Width) image, int height, int width, string path)
    {
        long[] sizes = image.ChannelsLast ? [1, height, width, 3] : [1, 3, height, width];
        using var input = OrtValue.CreateTensorValueFromMemory(new float[3 * height * width], sizes);
        using var outputs = Run(session, input, session.OutputNames, path);
        var shapes = new Dictionary<string, TensorShape>(StringComparer.Ordinal);
        foreach (var (name, output) in session.OutputNames.Zip(outputs))
        {
            if (!output.IsTensor || output.GetTensorTypeAndShape() is not { ElementDataType: TensorElementType.Float } tensor) continue;
            if (tensor.Shape is not [1, .. { Length: >= 1 and <= 3 } shape] || shape.Any(size => size is < 1 or > int.MaxValue)) continue;
            int[] one = [.. shape.Select(size => (int)size)];
            shapes[name] = one.Length == 3 && image.ChannelsLast ? TensorShape.Map(one[2], one[0], one[1]) : new(one);
        }
        return shapes;
    }

    protected override float[] Compute(float[] image)
    {
        var (channels, height, width) = (_inputShape.Channels, _inputShape.Height, _inputShape.Width);
        long[] sizes = _channelsLast ? [1, height, width, channels] : [1, channels, height, width];
        using var input = OrtValue.CreateTensorValueFromMemory(_channelsLast ? Transposed(image, channels, height * width) : image, sizes);
        using var outputs = Run(_session, input, [_output], "the ONNX model");
        var values = outputs[0].GetTensorDataAsSpan<float>();
        if (values.Length != _outputShape.ElementCount)
            throw new GraftException($"Expected {_outputShape} of the ONNX model, found {values.Length} numbers: its output's size depends on the image.");
        return _channelsLast && _outputShape.IsMap
            ? Transposed(values, _outputShape.Height * _outputShape.Width, _outputShape.Channels)
            : values.ToArray();
    }

    /// <summary>Runs the model on one image. A model may loop forever; it is stopped after <see cref="TimeLimit"/>.</summary>
    private static IDisposableReadOnlyCollection<OrtValue> Run(
        InferenceSession session, OrtValue image, IReadOnlyCollection<string> outputs, string path)
    {
        Turn.EnterReadLock();
        try
        {
            return RunOnce(session, image, outputs, path);
        }
        catch (OnnxRuntimeException problem) when (OutOfBudget(problem))
        {
            // Images on other threads may have had the rest.
        }
        finally
        {
            Turn.ExitReadLock();
        }
        Turn.EnterWriteLock();
        try
        {
            return RunOnce(session, image, outputs, path);
        }
        catch (OnnxRuntimeException problem) when (OutOfBudget(problem))
        {
            var operation = Regex.Match(problem.Message, "while running (\\w+) node", RegexOptions.None, TimeSpan.FromSeconds(1)).Groups[1].Value;
            throw new GraftException(
                $"{path} asks for more than {BudgetBytes >> 30} GB of memory for one image{(operation.Length > 0 ? $", in an operation {operation}" : "")}. "
                + "Name an earlier tensor as its output, or take smaller images or another model.", problem);
        }
        finally
        {
            Turn.ExitWriteLock();
        }
    }

    private static bool OutOfBudget(OnnxRuntimeException problem) =>
        problem.Message.Contains("BFCArena", StringComparison.Ordinal) || problem.Message.Contains("would require more than", StringComparison.Ordinal)
            || problem.Message.Contains("bad allocation", StringComparison.Ordinal);

    private static IDisposableReadOnlyCollection<OrtValue> RunOnce(
        InferenceSession session, OrtValue image, IReadOnlyCollection<string> outputs, string path)
    {
        using var run = new RunOptions();
        using var limit = new CancellationTokenSource(TimeLimit);
        using var stop = limit.Token.Register(() => run.Terminate = true);
        try
        {
            return session.Run(run, [session.InputNames[0]], [image], outputs);
        }
        catch (OnnxRuntimeException problem) when (!OutOfBudget(problem) && !limit.IsCancellationRequested)
        {
            throw new GraftException($"ONNX Runtime cannot run {path} on this image: {problem.Message}", problem);
        }
        catch (OnnxRuntimeException) when (limit.IsCancellationRequested)
        {
            throw new GraftException($"{path} was stopped after {TimeLimit.TotalSeconds:0} seconds on one image. Does it loop without end?");
        }
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        _session.Dispose();
    }

    /// <summary>[rows, columns] → [columns, rows].</summary>
    private static float[] Transposed(ReadOnlySpan<float> values, int rows, int columns)
    {
        var result = new float[values.Length];
        for (var row = 0; row < rows; row++)
            for (var column = 0; column < columns; column++) result[column * rows + row] = values[row * columns + column];
        return result;
    }
}
