using System.Runtime.CompilerServices;

namespace Graft.Testing;

/// <summary>A test that reads <c>../shared/{needs}</c>, reported as skipped where that is absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SharedFactAttribute : FactAttribute
{
    public SharedFactAttribute(
        string needs, [CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber)
    {
        Needs = needs;
        if (!SharedFolder.Has(needs)) Skip = $"../shared/{needs} is not here";
    }

    public string Needs { get; }
}

/// <summary>A theory whose rows read <c>../shared/{needs}</c>, reported as skipped where that is absent.</summary>
[AttributeUsage(AttributeTargets.Method)]
internal sealed class SharedTheoryAttribute : TheoryAttribute
{
    public SharedTheoryAttribute(
        string needs, [CallerFilePath] string? sourceFilePath = null, [CallerLineNumber] int sourceLineNumber = -1)
        : base(sourceFilePath, sourceLineNumber)
    {
        Needs = needs;
        if (!SharedFolder.Has(needs)) Skip = $"../shared/{needs} is not here";
    }

    public string Needs { get; }
}
