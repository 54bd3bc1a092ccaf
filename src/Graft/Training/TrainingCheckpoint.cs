using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Graft.Checkpoints;
using Graft.Networks;
using TorchSharp;
using static TorchSharp.torch;

namespace Graft.Training;

/// <summary>
/// A file that holds all a training needs to resume: the weights, the best weights so far, their average, the optimizer's state, the state of
/// libtorch's random generator, the schedule and the history. Written after each epoch, whole or not at all; the order of the images follows
/// from the seed. A .safetensors file.
/// </summary>
/// <param name="File">Where it lies, or will.</param>
/// <param name="Images">What tells the images apart from others, such as their names; empty if nothing is known of them.</param>
public sealed record TrainingCheckpoint(string File, string Images = "")
{
    /// <summary>
    /// An epoch that ends sooner than this after the last writing is not written: of short ones, some are computed again when training resumes.
    /// Default 0: every epoch is written.
    /// </summary>
    public TimeSpan Interval { get; init; }

    private const string Format = "graft.checkpoint", FormatVersion = "graft-checkpoint-1";

    /// <summary>Whether there is something to resume from.</summary>
    public bool Exists => System.IO.File.Exists(File);

    /// <summary>What a checkpoint is for: this network, these images in this order, these options.</summary>
    internal string FingerprintOf(Network network, IExamples training, IExamples validation, TrainingOptions options)
    {
        var text = new StringBuilder(network.ToJson()).Append(Images).Append(JsonSerializer.Serialize(options));
        foreach (var examples in (IExamples[])[training, validation])
            text.Append('|').AppendJoin(',', Enumerable.Range(0, examples.Count).Select(examples.LabelOf));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    internal void Save(
        TrainingState state, TorchNetwork network, WeightsSnapshot best, AverageWeights? average, TrainableOptimizer optimizer, string fingerprint)
    {
        using var scope = NewDisposeScope();
        using var generator = random.get_rng_state();
        var tensors = network.state_dict().Select(pair => ($"weights/{pair.Key}", pair.Value))
            .Concat(best.Tensors.Select(pair => ($"best/{pair.Key}", pair.Value)))
            .Concat(average?.Tensors.Select(pair => ($"average/{pair.Key}", pair.Average)) ?? [])
            .Concat(optimizer.Tensors.Select(pair => ($"optimizer/{pair.Key}", pair.Value)));
        SafetensorsWriter.Write(File, [.. tensors.Select(pair => new TensorSource(
            pair.Item1, TensorType.Float32, pair.Item2.shape, ValuesOf(pair.Item2)))], new Dictionary<string, string>
            {
                [Format] = FormatVersion,
                ["fingerprint"] = fingerprint,
                ["state"] = JsonSerializer.Serialize(state),
                ["optimizer_steps"] = optimizer.Steps.ToString(CultureInfo.InvariantCulture),
                ["average_steps"] = (average?.Steps ?? 0).ToString(CultureInfo.InvariantCulture),
                ["random"] = Convert.ToBase64String(generator.bytes),
            });
    }

    /// <summary>Null if there is no file.</summary>
    internal TrainingState? Load(
        TorchNetwork network, WeightsSnapshot best, AverageWeights? average, TrainableOptimizer optimizer, string fingerprint)
    {
        if (!Exists) return null;
        using var file = Checkpoint.Open(File);
        if (file.Metadata.GetValueOrDefault(Format) != FormatVersion)
            throw new GraftException($"{File} is not a checkpoint of a training.") { Code = "not-a-checkpoint", Remedy = "Name the folder of a run." };
        if (file.Metadata["fingerprint"] != fingerprint)
        {
            throw new GraftException(
                $"{File} is the checkpoint of another training: the network, the images or the options differ. "
                + "Resume with the photos as they were, or start a new run.");
        }
        using var noGradients = no_grad();
        best.Take();
        foreach (var (key, tensor) in network.state_dict()) Fill(tensor, $"weights/{key}");
        foreach (var (key, tensor) in best.Tensors) Fill(tensor, $"best/{key}");
        foreach (var (key, tensor) in average?.Tensors ?? []) Fill(tensor, $"average/{key}");
        foreach (var (key, tensor) in optimizer.Tensors) Fill(tensor, $"optimizer/{key}");
        optimizer.Steps = long.Parse(file.Metadata["optimizer_steps"], CultureInfo.InvariantCulture);
        if (average is not null) average.Steps = int.Parse(file.Metadata["average_steps"], CultureInfo.InvariantCulture);
        using (var generator = tensor(Convert.FromBase64String(file.Metadata["random"]))) random.set_rng_state(generator);
        return JsonSerializer.Deserialize<TrainingState>(file.Metadata["state"])!;

        void Fill(Tensor tensor, string name)
        {
            var values = new float[tensor.numel()];
            file.Read(name, values);
            using var filled = torch.tensor(values).reshape(tensor.shape);
            tensor.copy_(filled);
        }
    }

    private static TensorValues ValuesOf(Tensor tensor)
    {
        Tensor? plain = null;
        return (start, destination) =>
        {
            // Asked for when its turn comes, so that no more than one copy is alive.
            plain ??= tensor.detach().cpu().contiguous().DetachFromDisposeScope();
            TorchNetwork.Values(plain).Slice((int)start, destination.Length).CopyTo(destination);
            if (start + destination.Length < plain.numel()) return;
            plain.Dispose();
            plain = null;
        };
    }
}
