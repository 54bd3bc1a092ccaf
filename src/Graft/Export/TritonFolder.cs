using System.Globalization;
using System.Text;
using Graft.Inference;

namespace Graft.Export;

/// <summary>
/// A model of NVIDIA Triton's repository (<c>config.pbtxt</c>, <c>1/model.onnx</c>), for its backend onnxruntime. The model's name is the folder's.
/// See Triton's "Model Repository" and "Model Configuration".
/// </summary>
internal static class TritonFolder
{
    /// <param name="inputSizes">Of the model's input, -1 where any size is taken.</param>
    public static byte[] Configuration(string name, ExportInput input, IReadOnlyList<long> inputSizes, int classes)
    {
        var (tensor, type) = input == ExportInput.Photo ? (ModelMetadata.PhotoInput, "TYPE_UINT8") : (ModelMetadata.TensorInput, "TYPE_FP32");
        // The first dimension is the model's own, of size 1: Triton makes no batches.
        var text = new StringBuilder(string.Create(CultureInfo.InvariantCulture, $$"""
            name: {{Text(name)}}
            backend: "onnxruntime"
            max_batch_size: 0
            input [
              {
                name: "{{tensor}}"
                data_type: {{type}}
                dims: [ {{string.Join(", ", inputSizes)}} ]
              }
            ]
            output [
              {
                name: "{{ModelMetadata.ProbabilitiesOutput}}"
                data_type: TYPE_FP32
                dims: [ 1, {{classes}} ]
                label_filename: "labels.txt"
              }
            ]

            """));
        // On a GPU, photos are resized otherwise than in training.
        if (input == ExportInput.Photo) text.Append("instance_group [\n  {\n    kind: KIND_CPU\n  }\n]\n");
        return Encoding.UTF8.GetBytes(text.ToString());
    }

    /// <summary>A string in protobuf's text format.</summary>
    private static string Text(string value) =>
        $"\"{string.Concat(value.Select(letter => letter is '"' or '\\' ? $"\\{letter}" : char.IsControl(letter) ? $"\\{Convert.ToString(letter, 8).PadLeft(3, '0')}" : letter.ToString()))}\"";
}
