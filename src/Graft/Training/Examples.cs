namespace Graft.Training;

/// <summary>Labelled inputs of a network, by number.</summary>
public interface IExamples
{
    int Count { get; }

    int LabelOf(int index);

    /// <summary>Fills in an example's input. The epoch lets a source give another view of it each time; 0 asks for the plain one.</summary>
    void Read(int index, int epoch, Span<float> input);
}

/// <summary>Inputs that are all in memory: features, or small images.</summary>
public sealed class ExamplesInMemory(IReadOnlyList<float[]> inputs, IReadOnlyList<int> labels) : IExamples
{
    public int Count => inputs.Count;

    public int LabelOf(int index) => labels[index];

    public void Read(int index, int epoch, Span<float> input) => inputs[index].CopyTo(input);
}
