using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace Graft.Networks.Onnx;

/// <summary>Somebody's ONNX model, which may have the channels first, as Graft and PyTorch have them, or last, as TensorFlow.</summary>
internal sealed class OnnxGraphNetwork : FrozenNetwork
{
    private readonly InferenceSession _session;
    private readonly RunOptions _run = new();
    private readonly string _input, _output;
    private readonly bool _channelsLast;
    private readonly TensorShape _inputShape, _outputShape;

    public OnnxGraphNetwork(byte[] model, TensorShape inputShape, TensorShape outputShape)
    {
        _session = Open(model);
        (_input, _output) = (_session.InputNames[0], _session.OutputNames[0]);
        _channelsLast = ImageOf(_session, "the model").ChannelsLast;
        (_inputShape, _outputShape) = (inputShape, outputShape);
    }

    public static InferenceSession Open(byte[] model)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1, LogSeverityLevel = OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL };
        return new(model, options);
    }

    /// <summary>What the model says of its image; sizes that it leaves open are null.</summary>
    /// <exception cref="GraftException">It takes something else than one image of three colours.</exception>
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

    /// <summary>The shape of what the model gives for one image of this size.</summary>
    public static TensorShape OutputShape(InferenceSession session, (bool ChannelsLast, int? Height, int? Width) image, int height, int width, string path)
    {
        int[] sizes = image.ChannelsLast ? [1, height, width, 3] : [1, 3, height, width];
        using var outputs = session.Run([NamedOnnxValue.CreateFromTensor(session.InputNames[0], new DenseTensor<float>(sizes))]);
        if (outputs[0].Value is not DenseTensor<float> tensor || tensor.Dimensions.Length is < 2 or > 4 || tensor.Dimensions[0] != 1)
        {
            throw new GraftException(
                $"Expected a float32 output [N, channels, height, width], [N, tokens, channels] or [N, features] of {path}, found another. Name a tensor with --layer.");
        }
        var shape = tensor.Dimensions[1..].ToArray();
        return shape.Length == 3 && image.ChannelsLast ? TensorShape.Map(shape[2], shape[0], shape[1]) : new(shape);
    }

    protected override float[] Compute(float[] image)
    {
        var (channels, height, width) = (_inputShape.Channels, _inputShape.Height, _inputShape.Width);
        long[] sizes = _channelsLast ? [1, height, width, channels] : [1, channels, height, width];
        using var input = OrtValue.CreateTensorValueFromMemory(_channelsLast ? Transposed(image, channels, height * width) : image, sizes);
        using var outputs = _session.Run(_run, [_input], [input], [_output]);
        var values = outputs[0].GetTensorDataAsSpan<float>();
        if (values.Length != _outputShape.ElementCount)
            throw new GraftException($"Expected {_outputShape} of the ONNX model, found {values.Length} numbers: its output's size depends on the image.");
        return _channelsLast && _outputShape.IsMap
            ? Transposed(values, _outputShape.Height * _outputShape.Width, _outputShape.Channels)
            : values.ToArray();
    }

    protected override void Dispose(bool disposing)
    {
        if (!disposing) return;
        _run.Dispose();
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
